"""Private WebSocket v1 messages to feed events. The `subscribed` echo carries key and signature: it is reduced to its feed name."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

from trading_system.domain.account import FeedEvent, FeedFill, FeedOrder, FeedPositions, VenuePosition
from trading_system.domain.orders import ClientOrderId, Direction, Fill, FillId, FillKind, Side, VenueOrderId
from trading_system.domain.units import ZERO, Price, Qty
from trading_system.exchange.kraken_futures.observer import WireIssue
from trading_system.exchange.kraken_futures.wire_private import fee_usd_of, fill_kind_of
from trading_system.exchange.kraken_futures.wire_values import (
    Parsed,
    Row,
    WireError,
    epoch_moment_of,
    number_of,
    optional_number,
    optional_text,
    parse_each,
    shortened,
    symbol_from,
    text_of,
)

FEEDS: Final = ("fills", "open_orders", "open_positions", "heartbeat")
PRIVATE_FEEDS: Final = frozenset({"fills", "open_orders", "open_positions"})


@dataclass(frozen=True, slots=True)
class WsChallenge:
    """The text to sign."""

    message: str


@dataclass(frozen=True, slots=True)
class WsSubscribed:
    feed: str


@dataclass(frozen=True, slots=True)
class WsRefused:
    """An error, an alert or a failed subscription. `text` is the venue's, shortened."""

    text: str


@dataclass(frozen=True, slots=True)
class WsNothing:
    """Info, heartbeat, a feed we did not ask for: proof of life, nothing more."""


@dataclass(frozen=True, slots=True)
class WsData:
    """Events of one message. `seqs`: the message numbers it carries, for gap detection; empty for snapshots."""

    feed: str
    events: tuple[FeedEvent, ...]
    issues: tuple[WireIssue, ...] = ()
    seqs: tuple[int, ...] = ()
    is_snapshot: bool = False


WsMessage: TypeAlias = WsChallenge | WsSubscribed | WsRefused | WsNothing | WsData

_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)


def challenge_request(key: str) -> dict[str, object]:
    return {"event": "challenge", "api_key": key}


def sign_challenge(message: str, secret: str) -> str:
    """b64(HMAC_SHA512(b64decode(secret), SHA256(message))), as Kraken's WebSocket docs describe."""
    digest = hashlib.sha256(message.encode()).digest()
    return base64.b64encode(hmac.new(base64.b64decode(secret), digest, hashlib.sha512).digest()).decode()


def subscribe_request(feed: str, key: str, challenge: str, signed: str) -> dict[str, object]:
    """A subscription; only private feeds carry the credentials."""
    request: dict[str, object] = {"event": "subscribe", "feed": feed}
    if feed in PRIVATE_FEEDS:
        request |= {"api_key": key, "original_challenge": challenge, "signed_challenge": signed}
    return request


def parse_message(text: str | bytes) -> WsMessage:
    """One message. Malformed JSON is a WsRefused: the stream is not what we think it is."""
    try:
        row = _DECODER.decode(text)
    except (msgspec.DecodeError, ValueError, ArithmeticError):
        return WsRefused("a message that is no JSON")
    if not isinstance(row, Mapping):
        return WsNothing()
    if "event" in row:
        return _control(row)
    match row.get("feed"):
        case "fills" | "fills_snapshot" as feed:
            return _fills(row, feed)
        case "open_orders_snapshot":
            return _order_snapshot(row)
        case "open_orders":
            return _order_delta(row)
        case "open_positions":
            return _positions(row)
        case _:
            return WsNothing()


def _control(row: Row) -> WsMessage:
    match row.get("event"):
        case "challenge":
            message = row.get("message")
            return WsChallenge(message) if isinstance(message, str) and message else WsRefused("a challenge without text")
        case "subscribed":
            return WsSubscribed(str(row.get("feed")))
        case "subscribed_failed" | "unsubscribed_failed" as word:
            return WsRefused(f"{word} {shortened(row.get('feed'))}")
        case "error" | "alert" as word:
            message = row.get("message")
            if isinstance(message, str) and message.startswith("Already subscribed"):
                return WsNothing()
            return WsRefused(f"{word}: {shortened(message)}")
        case _:
            return WsNothing()


def _list(row: Row, key: str) -> list[object] | None:
    value = row.get(key)
    return value if isinstance(value, list) else None


def _seqs(rows: list[object]) -> tuple[int, ...]:
    return tuple(row["seq"] for row in rows if isinstance(row, Mapping) and isinstance(row.get("seq"), int))


def _fills(row: Row, feed: str) -> WsMessage:
    rows = _list(row, "fills")
    if rows is None:
        return WsRefused(f"{feed} without its list")
    parsed = parse_each(rows, feed, _fill)
    is_snapshot = feed.endswith("_snapshot")
    return WsData("fills", tuple(map(FeedFill, parsed.items)), parsed.issues, () if is_snapshot else _seqs(rows), is_snapshot)


def _fill(row: Row, note: Callable[[str], None]) -> Fill:
    word = optional_text(row, "fill_type") or ""
    kind = fill_kind_of(word)
    if kind is None:
        note(f"fill_type {shortened(word)} is new to us; kept as other")
    buy = row.get("buy")
    if not isinstance(buy, bool):
        raise WireError(f"buy: true or false wanted, was {shortened(buy)}")
    qty = number_of(row, "qty")
    if qty <= 0:
        raise WireError(f"qty: number above zero wanted, was {qty}")
    return Fill(
        fill_id=FillId(text_of(row, "fill_id")),
        venue_order_id=VenueOrderId(optional_text(row, "order_id") or ""),
        client_order_id=_client_id(row),
        symbol=symbol_from(text_of(row, "instrument")),
        side=Side.BUY if buy else Side.SELL,
        qty=Qty(qty),
        price=Price(number_of(row, "price")),
        at=epoch_moment_of(row, "time"),
        kind=kind or FillKind.OTHER,
        fee_usd=fee_usd_of(row),
    )


def _order_snapshot(row: Row) -> WsMessage:
    rows = _list(row, "orders")
    if rows is None:
        return WsRefused("open_orders_snapshot without its list")
    parsed: Parsed[FeedOrder] = parse_each(rows, "open_orders_snapshot", lambda order, note: _order_event(order, None))
    return WsData("open_orders", parsed.items, parsed.issues, is_snapshot=True)


def _order_delta(row: Row) -> WsMessage:
    """Two shapes: with the order (appeared, changed, or left), or with its id alone (left)."""
    order = row.get("order")
    body = order if isinstance(order, Mapping) else row
    gone = (_text_or_none(row, "reason") or "unnamed") if row.get("is_cancel") is True else None
    try:
        event = _order_event(body, gone)
    except WireError as error:
        return WsData("open_orders", (), (WireIssue("open_orders", str(error), is_lost=True),))
    return WsData("open_orders", (event,))


def _order_event(order: Row, gone: str | None) -> FeedOrder:
    instrument = optional_text(order, "instrument")
    return FeedOrder(
        symbol=None if instrument is None else symbol_from(instrument),
        venue_order_id=VenueOrderId(text_of(order, "order_id")),
        client_order_id=_client_id(order),
        gone_reason=gone,
    )


def _text_or_none(row: Row, key: str) -> str | None:
    value = row.get(key)
    return value if isinstance(value, str) and value else None


def _positions(row: Row) -> WsMessage:
    rows = _list(row, "positions")
    if rows is None:
        return WsRefused("open_positions without its list")
    parsed = parse_each(rows, "open_positions", _position)
    seqs = _seqs([row])
    if any(issue.is_lost for issue in parsed.issues):
        # a list with a hole would say "flat" about a real position: better no event at all
        return WsData("open_positions", (), parsed.issues, seqs)
    return WsData("open_positions", (FeedPositions(parsed.items),), parsed.issues, seqs)


def _position(row: Row, note: Callable[[str], None]) -> VenuePosition | None:
    balance = number_of(row, "balance")
    if balance == ZERO:
        return None
    return VenuePosition(
        symbol=symbol_from(text_of(row, "instrument")),
        direction=Direction.LONG if balance > 0 else Direction.SHORT,
        qty=Qty(abs(balance)),
        entry_price=Price(optional_number(row, "entry_price") or ZERO),
    )


def _client_id(row: Row) -> ClientOrderId | None:
    text = _text_or_none(row, "cli_ord_id")
    return None if text is None else ClientOrderId(text)
