"""The protocol of one WebSocket connection: challenge, subscribe, unsubscribe; text in, text out, no socket in sight."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import msgspec

from trading_system.sim.kraken_server.auth import Credentials, sign_challenge
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.encoding import encode
from trading_system.sim.kraken_server.feed_hub import FEEDS, PRIVATE_FEEDS, PRODUCT_FEEDS, FeedHub

REQUESTS_PER_S_MAX: Final = 100
_SECRET_FIELDS: Final = ("api_key", "original_challenge", "signed_challenge")


class FeedSession:
    """One connection's subscriptions. `send` takes one text frame and must not block."""

    def __init__(self, desk: Desk, hub: FeedHub, credentials: Credentials, challenge: str, send: Callable[[str], None]) -> None:
        self._desk = desk
        self._hub = hub
        self._credentials = credentials
        self._challenge = challenge
        self._products: dict[str, set[str]] = {}
        self._recent: deque[float] = deque(maxlen=REQUESTS_PER_S_MAX)
        self.send = send

    def open(self) -> None:
        """Greet and take part."""
        self._tell({"event": "info", "version": 1})
        self._hub.join(self)

    def close(self) -> None:
        self._hub.leave(self)

    def is_subscribed(self, feed: str, product: str = "") -> bool:
        products = self._products.get(feed)
        return products is not None and (not product or product in products)

    def products(self, feed: str) -> Collection[str]:
        return self._products.get(feed, ())

    def receive(self, text: str, now_s: float) -> None:
        """Handle one frame. `now_s`: process seconds, for the request limit."""
        if len(self._recent) == REQUESTS_PER_S_MAX and now_s - self._recent[0] < 1.0:
            self._error("Rate limit exceeded")
            return
        self._recent.append(now_s)
        try:
            message = msgspec.json.decode(text.encode())
        except msgspec.DecodeError:
            self._error("Json Error")
            return
        if not isinstance(message, dict):
            self._error("Json Error")
            return
        match message.get("event"):
            case "challenge":
                self._on_challenge(message)
            case "subscribe":
                self._on_subscribe(message)
            case "unsubscribe":
                self._on_unsubscribe(message)
            case _:
                self._error("Invalid event")

    def _on_challenge(self, message: Mapping[str, Any]) -> None:
        if message.get("api_key") != self._credentials.key:
            self._alert("Failed to subscribe to authenticated feed")
        else:
            self._tell({"event": "challenge", "message": self._challenge})

    def _on_subscribe(self, message: Mapping[str, Any]) -> None:
        checked = self._checked(message)
        if checked is None:
            return
        feed, products = checked
        before = self._products.get(feed)
        if before is not None and set(products) <= before:
            self._alert("Already subscribed to feed, re-requesting")
        else:
            self._tell({"event": "subscribed", "feed": feed, **_echo(message, feed)})
        # what happened up to now belongs to those who already listen; the newcomer's snapshot contains it
        first = self._hub.first_messages(feed, products)
        self._products.setdefault(feed, set()).update(products)
        for row in first:
            self._tell(row)

    def _on_unsubscribe(self, message: Mapping[str, Any]) -> None:
        checked = self._checked(message)
        if checked is None:
            return
        feed, products = checked
        if not self.is_subscribed(feed):
            self._tell({"event": "unsubscribed_failed", "feed": feed})
            return
        self._products[feed] -= set(products)
        if not self._products[feed]:
            del self._products[feed]
        self._tell({"event": "unsubscribed", "feed": feed, **_echo(message, feed)})

    def _checked(self, message: Mapping[str, Any]) -> tuple[str, list[str]] | None:
        """Feed and products of a request, or None after having told what is wrong with it."""
        feed = message.get("feed")
        if not isinstance(feed, str):
            self._error("Invalid feed")
            return None
        if feed not in FEEDS:
            self._alert("Invalid feed")
            return None
        if feed in PRIVATE_FEEDS and not self._is_signed(message):
            self._alert("Failed to subscribe to authenticated feed")
            return None
        if feed not in PRODUCT_FEEDS:
            return feed, []
        names = message.get("product_ids")
        products = [self._desk.market(name) if isinstance(name, str) else None for name in names] if isinstance(names, list) else []
        known = [product for product in products if product is not None]
        if not known or len(known) != len(products):
            self._error("Invalid product id")
            return None
        return feed, known

    def _is_signed(self, message: Mapping[str, Any]) -> bool:
        signed = message.get("signed_challenge")
        return (
            message.get("api_key") == self._credentials.key
            and message.get("original_challenge") == self._challenge
            and isinstance(signed, str)
            and hmac.compare_digest(signed.encode(), sign_challenge(self._credentials.secret_bytes, self._challenge).encode())
        )

    def _tell(self, message: Mapping[str, Any]) -> None:
        self.send(encode(message).decode())

    def _error(self, text: str) -> None:
        self._tell({"event": "error", "message": text})

    def _alert(self, text: str) -> None:
        self._tell({"event": "alert", "message": text})


def _echo(message: Mapping[str, Any], feed: str) -> dict[str, Any]:
    """The venue repeats the products of a market feed, and key and signature of a private one."""
    if feed in PRODUCT_FEEDS:
        return {"product_ids": message["product_ids"]}
    return {name: message[name] for name in _SECRET_FIELDS} if feed in PRIVATE_FEEDS else {}
