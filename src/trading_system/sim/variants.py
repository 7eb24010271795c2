"""Switches for what the venue's public pages leave open. A client that is right survives every setting.

Each field names what is not known and what its default assumes. Money in USD, shares and rates as fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum


class LiquidationStyle(Enum):
    """What happens below maintenance margin."""

    PARTIAL = "partial"
    """Positions are cut piece by piece until the margin holds again (USD accounts, since March 2026)."""
    FULL = "full"
    """Everything that shares the margin is closed at once, all its orders are cancelled."""


class MarginRule(Enum):
    """How a position that reaches into a higher margin level is charged."""

    WHOLE = "whole"
    """The whole position takes the rate of its level."""
    MARGINAL = "marginal"
    """Each part takes the rate of the level it lies in."""


@dataclass(frozen=True, slots=True)
class ExchangeVariants:
    """ValueError for a figure that makes no sense."""

    liquidation: LiquidationStyle = LiquidationStyle.PARTIAL
    liquidation_fee: Decimal = Decimal("0.005")
    """Of the liquidated notional, on top of the taker fee. The size is not published."""
    partial_share: Decimal = Decimal("0.5")
    """Of the position that ties up most margin: one piece of a partial liquidation."""
    partial_from_usd: Decimal = Decimal(5_000)
    """Entry value below which a position is closed whole."""
    assignment_depth: Decimal = Decimal(1)
    """What counterparties take over of a liquidation that the book could not, in multiples of the market's depth within 1 %.
    The rest is unwound against the other side."""
    margin_rule: MarginRule = MarginRule.WHOLE

    accepts_trailing_stops: bool = True
    """False: refused as an invalid order type, as the demo venue did in 2023."""
    price_collar: Decimal | None = Decimal("0.20")
    """How far a limit may reach through the mark price (a buy above, a sell below). None = no collar. The width is not published."""
    dislocation: Decimal | None = None
    """How far mark may stand off the index, as a fraction, before a market counts as dislocated: takers that could push it further
    are refused then. None = never. The width is not published."""
    small_order_usd: Decimal = Decimal(100)
    """What counts as a small order."""
    small_orders_max: int = 100
    """Resting small orders per market, further ones are `tooManySmallOrders`."""
    market_orders_max: int = 250
    """Resting orders per market, further ones are `tooManyOrders`."""
    reduce_only_trigger_needs_position: bool = False
    """True: a reduce-only trigger without a position to reduce is refused when it is placed."""
    cancel_all_denies: bool = False
    """True: cancelling all orders is answered with noOrdersToCancel beside the list of what was cancelled, as was seen once."""
    dead_man_spares_triggers: bool = False
    """True: the dead man's switch leaves trigger orders alone."""
    ioc_rest_is_told: bool = True
    """The unfilled rest of an immediate order shows as a CANCEL event of the answer."""

    has_fee_tiers: bool = True
    """Fees fall with the volume of 30 days. The middle tiers differ from source to source."""
    mark_average_ms: int = 30_000
    """Length of the average over the premium in the mark price; 1 = none."""
    maker_protection_ms: int = 0
    """How long placements and edits that are not post-only are held on the most liquid markets (announced: 20). 0 = not at all."""
    maker_protection_markets: int = 10

    stop_word: str = "stp"
    """`orderType` of a stop in openorders: stp or stop."""
    fills_page: int = 100
    """Rows of one answer of fills."""
    fills_show_fees: bool = False
    """Some accounts see fee_paid and fee_currency in fills."""
    batch_max: int | None = None
    """Instructions of one batch order; None = no limit."""
    bids_ascending: bool = False
    """True: the REST order book lists its bids worst first, as a recorded answer did."""
    folds_symbol_case: bool = True
    """False: only tickers take a symbol in lower case."""
    serves_history: bool = True
    """False: the private history API is missing, as it is said to be on the demo venue."""
    unpublished_points: int = 2
    """What notifications and feeschedules/volumes cost."""
    heartbeat_s: float = 1.0
    """Real seconds between two messages of the heartbeat feed."""
    weeks_open_on_thursday: bool = False
    """Where candles of a week begin: Monday, or Thursday as weeks counted from 1970 do."""
    checks_nonces: bool = False
    """True: a nonce that was used, or lies far below the highest one, is refused."""
    long_id_word: str = "clientOrderIdTooLong"
    """The refusal of a client id over 100 characters: clientOrderIdTooLong or clientOrderIdTooBig."""
    maintenance_status: int = 503
    """HTTP status of private answers during maintenance: 503, or 200 with the error in the body."""

    def __post_init__(self) -> None:
        if not 0 < self.partial_share <= 1:
            raise ValueError(f"partial_share must be in (0, 1], was {self.partial_share}")
        if self.liquidation_fee < 0 or (self.price_collar is not None and self.price_collar <= 0):
            raise ValueError("liquidation_fee must not be negative and price_collar must be positive")
        if self.dislocation is not None and self.dislocation <= 0:
            raise ValueError(f"dislocation must be positive, was {self.dislocation}")
        if self.heartbeat_s <= 0 or self.unpublished_points < 0:
            raise ValueError("heartbeat_s must be positive and unpublished_points not negative")
        if self.mark_average_ms < 1 or not 0 <= self.maker_protection_ms <= 100:
            raise ValueError("mark_average_ms must be at least 1 and maker_protection_ms 0 to 100")
        if self.long_id_word not in ("clientOrderIdTooLong", "clientOrderIdTooBig"):
            raise ValueError(f"long_id_word is clientOrderIdTooLong or clientOrderIdTooBig, not {self.long_id_word!r}")
        if self.stop_word not in ("stp", "stop") or self.maintenance_status not in (200, 503):
            raise ValueError("stop_word is stp or stop, maintenance_status 200 or 503")
