"""How a text reaches a human: Telegram, Discord, Slack or any JSON webhook, chosen by the address. Pure but for `post`.

The address is a secret: https only (loopback excepted, for tests), never followed elsewhere, never part of an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from trading_system.domain.errors import ConfigError

TEXT_MAX: Final[Mapping[str, int]] = {"telegram": 4096, "discord": 2000, "slack": 4000, "json": 8000}


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """kind: word of `AlertKind`; severity: INFO, WARNING or CRITICAL; text: plain, already free of secrets."""

    kind: str
    severity: str
    text: str
    symbol: str | None = None

    @property
    def headline(self) -> str:
        where = f" {self.symbol}" if self.symbol else ""
        return f"[{self.severity}] {self.kind}{where}\n{self.text}"


@dataclass(frozen=True, slots=True)
class SendFailed:
    """Nobody was told. `reason` names a type or a status, never the address; `retry_after_s` as the channel asked."""

    reason: str
    retry_after_s: float | None = None


class AlertChannel(Protocol):
    async def send(self, message: AlertMessage) -> SendFailed | None:
        """None when the channel accepted the message."""
        ...


class WebhookChannel:
    """One POST per message on the given session. `url` decides the form; `chat_id` is for Telegram."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, chat_id: str | None = None, deadline_s: float = 10.0) -> None:
        self._session = session
        self._form, self._address = channel_of(url)
        if self._form == "telegram" and not chat_id:
            raise ConfigError("ALERT_WEBHOOK_URL is a Telegram address: ALERT_CHAT_ID is needed too")
        self._chat_id = chat_id
        self._deadline_s = deadline_s

    def __repr__(self) -> str:
        return f"WebhookChannel({self._form})"

    async def send(self, message: AlertMessage) -> SendFailed | None:
        try:
            async with asyncio.timeout(self._deadline_s):
                # a redirect would carry the text to a host nobody chose
                async with self._session.post(self._address, json=self._body(message), allow_redirects=False) as answer:
                    await answer.read()
                    if answer.status < 300:
                        return None
                    return SendFailed(f"status {answer.status}", _retry_after(answer.headers.get("Retry-After")))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # only the type: the text of these errors contains the address
            return SendFailed(type(error).__name__)

    def _body(self, message: AlertMessage) -> Mapping[str, object]:
        text = message.headline[: TEXT_MAX[self._form]]
        match self._form:
            case "telegram":
                return {"chat_id": self._chat_id, "text": text, "disable_web_page_preview": True}
            case "discord":
                return {"content": text, "allowed_mentions": {"parse": []}}
            case "slack":
                return {"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}
            case _:
                return {"kind": message.kind, "severity": message.severity, "symbol": message.symbol, "text": message.text[:8000]}


def channel_of(url: str) -> tuple[str, str]:
    """(form, address to post to) of a webhook URL; ConfigError (without the URL) when it is not https."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme != "https" and not (parts.scheme == "http" and host in ("127.0.0.1", "localhost", "::1")):
        raise ConfigError("a webhook URL must begin with https://")
    is_bot_path = parts.path.startswith("/bot") and ":" in parts.path.split("/")[1]
    if host == "api.telegram.org" or is_bot_path:
        bot = parts.path.split("/")[1]
        return "telegram", f"{parts.scheme}://{parts.netloc}/{bot}/sendMessage"
    if host in ("discord.com", "discordapp.com") or host.endswith(".discord.com"):
        return "discord", url
    return ("slack" if host == "hooks.slack.com" else "json"), url


def _retry_after(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdigit() else None
