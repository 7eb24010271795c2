"""A value that must not be seen. It leaves only through `reveal()`, so every place that uses it can be found.

The trap it avoids: a key in an f-string, a traceback, a repr of the object that holds it, or a pickled crash file.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import NoReturn, final
from urllib.parse import unquote, urlsplit

MASK = "***"


@final
class Secret:
    """Wraps a secret text. repr, str and format show `***`; pickling and copying to disk are refused."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the one call that needs it, never for a message."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        # one bucket for all: a hash of the value would be a fingerprint of it
        return hash(Secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Everything secret (or personal) the daemon may be given; None = not given."""

    kraken_futures_api_key: Secret | None = None
    kraken_futures_api_secret: Secret | None = None
    database_url: Secret | None = None
    alert_webhook_url: Secret | None = None
    alert_chat_id: Secret | None = None
    slack_webhook_url: Secret | None = None
    alert_email: Secret | None = None

    @property
    def has_exchange_key(self) -> bool:
        return bool(self.kraken_futures_api_key) and bool(self.kraken_futures_api_secret)

    def values(self) -> tuple[str, ...]:
        """Every text that must be masked in any output, longest first: the values and the secret parts inside URLs."""
        found: set[str] = set()
        for secret in (self.kraken_futures_api_key, self.kraken_futures_api_secret, self.alert_email):
            if secret:
                found.add(secret.reveal())
        for secret in (self.database_url, self.alert_webhook_url, self.slack_webhook_url):
            if secret:
                found.update(_secret_parts(secret.reveal()))
        # the chat id is needed as a whole number in texts too rarely to be worth a false match on a short one
        if self.alert_chat_id and len(self.alert_chat_id.reveal()) >= 6:
            found.add(self.alert_chat_id.reveal())
        return tuple(sorted((value for value in found if len(value) >= 4), key=lambda value: (-len(value), value)))


def _secret_parts(url: str) -> set[str]:
    """The password of a URL, and for a webhook its secret path parts (Telegram: `bot<token>`)."""
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        return set()
    found = {url}
    if parts.password:
        found.update({parts.password, unquote(parts.password)})
    if parts.scheme in ("http", "https"):
        found.update(_webhook_parts(parts.path))
        if parts.query:
            found.add(parts.query)
    return found


def _webhook_parts(path: str) -> set[str]:
    """Path segments long enough to be a token; of Telegram's `bot123:abc` also the token without `bot`."""
    found: set[str] = set()
    for segment in path.split("/"):
        if len(segment) >= 16:
            found.add(segment)
            if segment.startswith("bot"):
                found.add(segment.removeprefix("bot"))
    return found
