"""The venue's words: market modes, order types, trigger signals. `.value` is the word on the wire."""

from __future__ import annotations

from enum import Enum


class MarketMode(Enum):
    """What a market accepts. Resting orders stay in all of them but DELISTED."""

    ONLINE = "online"
    POST_ONLY = "post_only"
    """`post` and trigger orders rest; nothing executes."""
    CANCEL_ONLY = "cancel_only"
    SUSPENDED = "suspended"
    DELISTED = "delisted"
    """Settled and gone: no orders, no positions."""
    MAINTENANCE = "maintenance"
    """The venue is down: nothing is accepted, not even a cancel."""


class OrderType(Enum):
    """`.value` is the venue's word, as sent and as listed."""

    LMT = "lmt"
    POST = "post"
    IOC = "ioc"
    FOK = "fok"
    MKT = "mkt"
    STP = "stp"
    TAKE_PROFIT = "take_profit"
    TRAILING_STOP = "trailing_stop"
    LIQUIDATION = "liquidation"
    ASSIGNMENT = "assignment"
    UNWIND = "unwind"
    SETTLEMENT = "settlement"

    @property
    def is_trigger(self) -> bool:
        return self in _TRIGGERS

    @property
    def is_forced(self) -> bool:
        """Made by the venue itself; nobody can send one."""
        return self in _FORCED


_TRIGGERS = frozenset({OrderType.STP, OrderType.TAKE_PROFIT, OrderType.TRAILING_STOP})
_FORCED = frozenset({OrderType.LIQUIDATION, OrderType.ASSIGNMENT, OrderType.UNWIND, OrderType.SETTLEMENT})


class TriggerSignal(Enum):
    """Which price fires a trigger."""

    MARK = "mark"
    INDEX = "index"
    LAST = "last"


class SelfTrade(Enum):
    """What happens when an order would meet one of our own."""

    REJECT_TAKER = "REJECT_TAKER"
    CANCEL_MAKER_SELF = "CANCEL_MAKER_SELF"
    CANCEL_MAKER_CHILD = "CANCEL_MAKER_CHILD"
    CANCEL_MAKER_ANY = "CANCEL_MAKER_ANY"


class DeviationUnit(Enum):
    """What a trailing stop's distance is counted in."""

    PERCENT = "PERCENT"
    QUOTE_CURRENCY = "QUOTE_CURRENCY"
