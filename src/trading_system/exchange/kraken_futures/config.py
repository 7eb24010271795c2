"""Where the venue is and how long we wait for it. Refuses hosts that are neither Kraken's nor this machine."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from trading_system.domain.errors import ConfigError

_KRAKEN_HOSTS: Final = frozenset({"futures.kraken.com", "demo-futures.kraken.com"})


@dataclass(frozen=True, slots=True)
class KrakenConfig:
    """Everything the adapter must know; build it with `production`, `demo` or `at`.

    Base addresses end in a slash; `check()` proves them. Times are process seconds. `key` None = public data only.
    """

    base_rest: str
    base_charts: str
    base_history: str
    ws_url: str
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    read_timeout_s: float = 8.0
    order_timeout_s: float = 10.0
    """From the first byte to the whole answer; afterwards the outcome is unknown."""
    public_timeout_s: float = 10.0
    connect_timeout_s: float = 4.0
    public_concurrency: int = 50
    ws_ping_s: float = 30.0
    ws_silence_s: float = 60.0
    """No message at all for this long = the feed is dead, whatever the transport says."""
    ws_handshake_s: float = 10.0
    ws_backoff_max_s: float = 30.0
    uses_retail_margin: bool = False
    """Read `retailMarginLevels` instead of `marginLevels` (retail and EEA accounts)."""

    @classmethod
    def production(cls, key: str | None = None, secret: str | None = None) -> KrakenConfig:
        return cls.at("https://futures.kraken.com", key, secret)

    @classmethod
    def demo(cls, key: str | None = None, secret: str | None = None) -> KrakenConfig:
        """Demo has its own accounts and keys; the history API is said to be missing there."""
        return cls.at("https://demo-futures.kraken.com", key, secret)

    @classmethod
    def at(cls, base_url: str, key: str | None = None, secret: str | None = None) -> KrakenConfig:
        """All four services under one origin, e.g. `http://127.0.0.1:8431` for the embedded exchange."""
        base = base_url.rstrip("/")
        return cls(
            base_rest=f"{base}/derivatives/api/",
            base_charts=f"{base}/api/charts/",
            base_history=f"{base}/api/history/",
            ws_url=f"{base.replace('http', 'ws', 1)}/ws/v1",
            key=key,
            secret=secret,
        )

    @property
    def has_credentials(self) -> bool:
        return bool(self.key) and bool(self.secret)

    def check(self) -> None:
        """Raise ConfigError unless all addresses are one Kraken host over TLS, or one loopback address, and the secret decodes."""
        hosts = set()
        for name in ("base_rest", "base_charts", "base_history", "ws_url"):
            url = str(getattr(self, name))
            _check_url(name, url)
            hosts.add(urlsplit(url).netloc)
            if name != "ws_url" and not url.endswith("/"):
                raise ConfigError(f"{name} must end in a slash, was {url!r}")
        if len(hosts) != 1:
            raise ConfigError(f"all venue addresses must be on one host, were on {sorted(hosts)}")
        if bool(self.key) != bool(self.secret):
            raise ConfigError("the API key and its secret must be given together")
        if self.secret:
            _check_secret(self.secret)


def _check_url(name: str, url: str) -> None:
    parts = urlsplit(url)
    secure = "wss" if name == "ws_url" else "https"
    plain = "ws" if name == "ws_url" else "http"
    host = parts.hostname or ""
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{name} must be a plain address without credentials or query")
    if parts.scheme == secure and host in _KRAKEN_HOSTS and parts.port in (None, 443):
        return
    if parts.scheme in (plain, secure) and _is_loopback(host):
        return
    raise ConfigError(f"{name}: {parts.scheme}://{host} is neither {secure}:// on {sorted(_KRAKEN_HOSTS)} nor a loopback address")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_secret(secret: str) -> None:
    try:
        base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        # `from None`: the original message quotes what it was given
        raise ConfigError("the API secret is not valid base64; copy it again from the key page") from None
