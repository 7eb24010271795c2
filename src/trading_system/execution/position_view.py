"""What a plan for one position is made from, besides the position itself; and the numbers it obeys."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Final

from trading_system.domain.errors import ConfigError
from trading_system.domain.orders import ClientOrderId, Direction, OrderPurpose
from trading_system.domain.units import ZERO, Price, Qty, round_price_down, round_price_up, smallest_order

TRAIL_LADDER: Final = (
    (Decimal(0), Decimal("2.0")),
    (Decimal(3), Decimal("1.8")),
    (Decimal(5), Decimal("1.4")),
    (Decimal(8), Decimal("1.0")),
)


class FinalTarget(Enum):
    """What happens at the final target (in R)."""

    NONE = "none"
    TIGHTEN_TRAIL = "tighten_trail"
    CLOSE_PARTIAL = "close_partial"
    CLOSE_FULL = "close_full"


@dataclass(frozen=True, slots=True)
class PositionParameters:
    """How positions are managed. Seconds ending in `_s` are process seconds; timedeltas are market time; ratios are fractions."""

    entry_timeout: timedelta = timedelta(seconds=120)
    entry_price_away: Decimal = Decimal("0.03")
    entry_retries: int = 3
    cancel_retry: timedelta = timedelta(seconds=10)
    taker_fee: Decimal = Decimal("0.0005")
    trail_ladder: tuple[tuple[Decimal, Decimal], ...] = TRAIL_LADDER
    """(from R, multiple of ATR), R ascending, multiples descending."""
    trail_move_min: Decimal = Decimal("0.001")
    trailing_activation_atr_min: Decimal = ZERO
    """ATR14(4h) as a fraction of mark below which nothing trails."""
    final_target: FinalTarget = FinalTarget.NONE
    final_target_r: Decimal = Decimal(3)
    final_target_tighten: Decimal = Decimal("1.2")
    final_target_share: Decimal = Decimal("0.5")
    break_even_fees: Decimal = Decimal(2)
    """Taker fees beyond the average entry at which break-even lies."""
    premise_exit: bool = False
    """Close when a 4h bar closed beyond the premise of the entry."""
    time_exit: timedelta | None = None
    """Close so long after the first fill; None = never."""
    take_profit_distance_min: Decimal = Decimal("0.003")
    take_profit_again_s: float = 30.0
    """A level that could not be placed is tried a second time after this, and then every cooldown."""
    take_profit_cooldown_s: float = 600.0
    stop_retry_s: float = 5.0
    stop_pace_s: float = 2.0
    """A stop that rested and is gone (it fired, and nobody stood there to trade with) is followed by the next one no sooner than this."""
    backup_retry_s: float = 12.0
    lists_lag_s: float = 60.0
    """How far a list of open orders may be behind: for so long after one that missed a stop, a list that shows it proves nothing."""
    adopted_stop_retry_s: float = 10.0
    adopted_stop_distance: Decimal = Decimal("0.02")
    adopted_liquidation_share: Decimal = Decimal("0.25")
    naked_hard_s: float = 60.0
    through_stop_s: float = 10.0
    close_step_s: float = 2.0
    close_widths: tuple[Decimal | None, ...] = (None, Decimal("0.02"), Decimal("0.04"), Decimal("0.08"))
    """How far through mark each step of closing goes; None = market. The last one repeats."""

    def __post_init__(self) -> None:
        rungs = self.trail_ladder
        if not rungs or rungs[0][0] != 0 or any(a[0] >= b[0] or a[1] < b[1] for a, b in pairwise(rungs)):
            raise ConfigError(f"execution.trail_ladder must start at 0 R, rise in R and fall in multiples, was {rungs}")
        if not self.close_widths:
            raise ConfigError("execution.close_widths must name at least one step")
        if not 0 < self.stop_retry_s < self.naked_hard_s:
            raise ConfigError(f"execution.stop_retry_s ({self.stop_retry_s}) must be above 0 and below naked_hard_s ({self.naked_hard_s})")


@dataclass(frozen=True, slots=True)
class MarketView:
    """One market as its position sees it now.

    mark None = never seen. is_fresh: the quote passed the tick guard and is young, so stops may be tightened by it.
    is_open: the venue executes orders there. atr_4h in price units. venue_qty: what the newest positions reading listed
    (None = never read), taken at process time venue_read_s. liquidation_price only where somebody computed it.
    """

    mark: Price | None
    is_fresh: bool
    is_open: bool
    quote_at: datetime | None
    tick: Decimal
    size_step: Decimal
    size_min: Qty
    atr_4h: Decimal | None = None
    venue_qty: Qty | None = None
    venue_read_s: float = -1.0
    bid: Price | None = None
    ask: Price | None = None
    liquidation_price: Price | None = None
    listed: frozenset[ClientOrderId] | None = None
    """Our orders the newest list of open orders showed; None = no list was ever read."""
    listed_s: float = -1.0
    """When that list was read (process time): at or before `venue_read_s`."""
    alive: frozenset[ClientOrderId] = frozenset()
    """Our orders that were looked up by name after it, and are there: what no old list can say."""
    venue_naked_s: float | None = None
    """How long, as of the newest reading, the venue's own lists have shown this position without full cover; None = it has cover."""
    closes_4h: tuple[tuple[int, float], ...] = ()
    """(close time in ms, close) of the 4h bars since the signal, where the premise is watched; oldest first."""
    process_began_at: datetime | None = None
    """Market time at which this process first looked at positions: what was intended before it, another process intended."""
    allow_take_profits: bool = True
    """False while halted: stops stay and tighten, no take-profits."""

    @property
    def unit(self) -> Decimal:
        """The smallest size an order may have, on the step."""
        return smallest_order(self.size_min, self.size_step)


@dataclass(frozen=True, slots=True)
class Watch:
    """What a plan remembers of one position from one moment to the next (process seconds). Lost at a restart, on purpose."""

    qty: Qty | None = None
    qty_since_s: float = 0.0
    """Since when the books have shown this quantity."""
    naked_since_s: float | None = None
    stop_tried_s: float | None = None
    stop_sent_s: float | None = None
    """When a stop was last placed, whatever became of it."""
    stop_awaited_s: float | None = None
    """Since when a stop that no plan of this kind sent (a second one beside a vanished one, one of an earlier process) may come to life."""
    backup_tried_s: float | None = None
    stops_seen: frozenset[ClientOrderId] = frozenset()
    """Live stops of ours that a list of open orders has shown."""
    listed_s: float | None = None
    """When the newest list of open orders was read that was looked at."""
    stops_missed_s: float | None = None
    """When the newest list was read that lacked a stop of the books; at first, when the first list was read: nobody knows what the
    lists of the process before lacked."""
    through_since_s: float | None = None
    tp1_passed: int = 0
    """Consecutive fresh quotes beyond the first target."""
    tp1_quote_at: datetime | None = None
    close_tried_s: float | None = None
    take_profit_tried: tuple[tuple[OrderPurpose, float, int], ...] = field(default=())
    """Level, when it was last looked at for placing, and how often it was."""

    def take_profit_due_s(self, purpose: OrderPurpose, params: PositionParameters) -> float:
        """From when on that level may be looked at again."""
        for known, at, times in self.take_profit_tried:
            if known is purpose:
                return at + (params.take_profit_again_s if times == 1 else params.take_profit_cooldown_s)
        return float("-inf")

    def with_take_profit(self, purpose: OrderPurpose, at: float) -> Watch:
        others = tuple(one for one in self.take_profit_tried if one[0] is not purpose)
        before = next((times for known, _, times in self.take_profit_tried if known is purpose), 0)
        return replace(self, take_profit_tried=(*others, (purpose, at, before + 1)))


NEW_WATCH: Final = Watch()


def is_through(direction: Direction, mark: Decimal, stop: Decimal) -> bool:
    """True when `mark` is at or beyond a stop on the losing side: the stop would fire at once."""
    return mark <= stop if direction is Direction.LONG else mark >= stop


def stop_on_tick(direction: Direction, price: Decimal, tick: Decimal) -> Price:
    """Round a stop's trigger to the tick, to the side that does not increase the loss."""
    return round_price_up(price, tick) if direction is Direction.LONG else round_price_down(price, tick)


def exit_on_tick(direction: Direction, price: Decimal, tick: Decimal) -> Price:
    """Round an exit's limit to the tick, to the side that surely executes."""
    return round_price_down(price, tick) if direction is Direction.LONG else round_price_up(price, tick)
