"""THE measures of exposure: read by the auction, the pre-trade gates and the invariants alike.

The trap it avoids: a cap that is checked before the trade on one number and after it on another, so that filling the
budget trips the alarm. Everything here is a plain function of `ExposureItem`s; whoever holds positions, resting entries,
orders in flight or orders of unknown fate describes each of them as one item *at full size*.
Amounts are USD Decimals; ratios are fractions (0.90 = 90 %).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from trading_system.domain.market import MarginLevel
from trading_system.domain.orders import Direction
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ONE, ZERO, Price, Qty, Usd


class ExposureKind(Enum):
    """What an item stands for. All kinds count at full size in every cap."""

    POSITION = "position"
    IN_FLIGHT = "in_flight"
    """An entry that was intended or sent and has no answer yet."""
    RESTING = "resting"
    """The unfilled rest of an entry that rests on the venue."""
    UNKNOWN = "unknown"
    """An entry whose fate nobody knows."""

    @property
    def is_order(self) -> bool:
        return self is not ExposureKind.POSITION


@dataclass(frozen=True, slots=True)
class ExitCosts:
    """What leaving at a stop costs beyond the price move, as fractions of the exit notional."""

    taker_fee: Decimal = Decimal("0.0005")
    slippage: Decimal = Decimal("0.0010")


@dataclass(frozen=True, slots=True)
class ExposureItem:
    """One position, or one entry order, as the caps see it.

    qty: base units; mark: mark price now; entry_price: average entry, or the order's limit; notional: USD at the worst of
    mark and (orders only) limit; planned_margin: notional / planned leverage; stop_price: None while no stop is known,
    which makes the whole notional open risk.
    """

    symbol: Symbol
    direction: Direction
    kind: ExposureKind
    qty: Qty
    mark: Price
    entry_price: Price
    stop_price: Price | None
    notional: Usd
    planned_margin: Usd
    margin_levels: tuple[MarginLevel, ...]


def margin_level_at(levels: Sequence[MarginLevel], notional: Decimal) -> MarginLevel:
    """The level (ascending by `notional_from`) whose rates a whole position of `notional` USD needs."""
    chosen = levels[0]
    for level in levels:
        if notional >= level.notional_from:
            chosen = level
    return chosen


def planned_leverage(notional: Decimal, levels: Sequence[MarginLevel], leverage_max: Decimal) -> Decimal:
    """min(our maximum, venue's 1 / initial margin at that size). `leverage_max` = min(system maximum, tier maximum), > 0."""
    return min(leverage_max, ONE / margin_level_at(levels, notional).initial)


def planned_margin(notional: Decimal, levels: Sequence[MarginLevel], leverage_max: Decimal) -> Usd:
    """Collateral (USD) we plan for a position of `notional` USD: notional / planned leverage."""
    return Usd(notional / planned_leverage(notional, levels, leverage_max))


def exposure_item(
    *,
    symbol: Symbol,
    direction: Direction,
    kind: ExposureKind,
    qty: Qty,
    mark: Price,
    entry_price: Price,
    stop_price: Price | None,
    margin_levels: tuple[MarginLevel, ...],
    leverage_max: Decimal,
) -> ExposureItem:
    """Build an item with its notional and planned margin. `entry_price` of an order is its limit: the worse of it and mark counts."""
    price = max(mark, entry_price) if kind.is_order else mark
    notional = Usd(qty * price)
    return ExposureItem(
        symbol=symbol,
        direction=direction,
        kind=kind,
        qty=qty,
        mark=mark,
        entry_price=entry_price,
        stop_price=stop_price,
        notional=notional,
        planned_margin=planned_margin(notional, margin_levels, leverage_max),
        margin_levels=margin_levels,
    )


def open_notional(items: Iterable[ExposureItem]) -> Usd:
    """Sum of notionals, USD, long and short added up (never netted)."""
    return Usd(sum((item.notional for item in items), ZERO))


def total_planned_margin(items: Iterable[ExposureItem]) -> Usd:
    """Sum of planned margins, USD."""
    return Usd(sum((item.planned_margin for item in items), ZERO))


def planned_utilization(items: Iterable[ExposureItem], equity: Decimal) -> Decimal | None:
    """Planned margin / equity; None when there is no equity to divide by (callers must refuse, never assume 0)."""
    return total_planned_margin(items) / equity if equity > 0 else None


def positions_count(items: Iterable[ExposureItem]) -> int:
    """Number of distinct symbols with a position or an entry that may become one."""
    return len({item.symbol for item in items})


def risk_per_unit(direction: Direction, mark: Decimal, stop: Decimal, costs: ExitCosts) -> Decimal:
    """Loss in USD per base unit from mark to stop, fee and slippage of the exit included; never negative."""
    return max(ZERO, (mark - stop) * direction.sign + stop * (costs.taker_fee + costs.slippage))


def is_risk_free(item: ExposureItem) -> bool:
    """True when the stop of a *position* is at or past its average entry: what it can give back is profit."""
    if item.kind.is_order or item.stop_price is None:
        return False
    return (item.stop_price - item.entry_price) * item.direction.sign >= 0


def open_risk(item: ExposureItem, costs: ExitCosts) -> Usd:
    """USD lost if the price goes from mark to the stop. No stop: the whole notional. Stop at or past break-even: nothing."""
    if item.stop_price is None:
        return item.notional
    if is_risk_free(item):
        return Usd(ZERO)
    # an order may still fill at its limit, above the mark: the loss then starts from there
    start = _worst_start(item)
    return Usd(item.qty * risk_per_unit(item.direction, start, item.stop_price, costs))


def total_open_risk(items: Iterable[ExposureItem], costs: ExitCosts) -> Usd:
    """Sum of `open_risk`, USD."""
    return Usd(sum((open_risk(item, costs) for item in items), ZERO))


def _worst_start(item: ExposureItem) -> Decimal:
    if not item.kind.is_order:
        return item.mark
    return max(item.mark, item.entry_price) if item.direction is Direction.LONG else min(item.mark, item.entry_price)


def maintenance_margin(item: ExposureItem, price: Decimal) -> Decimal:
    """Maintenance margin in USD of the item if its mark were `price`."""
    notional = item.qty * price
    return notional * margin_level_at(item.margin_levels, notional).maintenance


def liquidation_price(item: ExposureItem, others: Iterable[ExposureItem], equity: Decimal, costs: ExitCosts) -> Decimal | None:
    """Mark price at which the cross account would be liquidated on this item, with every other item at its stop.

    equity: account equity now (USD) with everything at mark. Others lose their open risk and still hold the maintenance
    of their present size, which is the moment before their stops fill. A position's own stop is ignored.
    Returns None when no price > 0 liquidates (an unlevered long). A price on the profit side of mark means: already lost.
    """
    free = equity
    for other in others:
        free -= open_risk(other, costs) + maintenance_margin(other, other.mark)
    worth = item.qty * item.mark
    if item.direction is Direction.LONG:
        # the level of the present size is kept while the price falls: smaller notionals need no more
        rate = margin_level_at(item.margin_levels, worth).maintenance
        price = (worth - free) / (item.qty * (ONE - rate))
        return price if price > 0 else None
    return _short_liquidation(item, free + worth)


def _short_liquidation(item: ExposureItem, budget: Decimal) -> Decimal:
    """A rising price makes the notional larger, so higher margin levels may apply on the way: the first crossing counts."""
    start = item.qty * item.mark
    price = budget / (item.qty * (ONE + item.margin_levels[0].maintenance))
    for index, level in enumerate(item.margin_levels):
        upper = item.margin_levels[index + 1].notional_from if index + 1 < len(item.margin_levels) else None
        if upper is not None and upper <= start:
            continue
        price = budget / (item.qty * (ONE + level.maintenance))
        if upper is None or item.qty * price < upper:
            # inside this level, or at its lower edge when the step of the rate itself is what liquidates
            return max(price, level.notional_from / item.qty) if level.notional_from > start else price
    return price


@dataclass(frozen=True, slots=True)
class StressResult:
    """The worst case found: what was assumed, and what would be left (USD)."""

    scenario: str
    equity: Decimal
    maintenance: Decimal

    @property
    def survives(self) -> bool:
        """Up to and including: equity equal to maintenance passes."""
        return self.equity >= self.maintenance


def stress_shocks(items: Sequence[ExposureItem], equity: Decimal, shocks: Sequence[Decimal]) -> StressResult:
    """All prices move together by +shock and -shock, stops ignored; return the case with the least equity above maintenance."""
    worst = StressResult("no move", equity, sum((maintenance_margin(i, i.mark) for i in items), ZERO))
    for shock in shocks:
        for move in (shock, -shock):
            left = equity + sum((i.qty * i.mark * move * i.direction.sign for i in items), ZERO)
            held = sum((maintenance_margin(i, i.mark * (ONE + move)) for i in items), ZERO)
            case = StressResult(f"all prices {move * 100:+f} %", left, held)
            if case.equity - case.maintenance < worst.equity - worst.maintenance:
                worst = case
    return worst


def stress_stops(items: Sequence[ExposureItem], equity: Decimal, gaps: Sequence[Decimal], costs: ExitCosts) -> StressResult:
    """Every stop is hit and filled `gaps[i]` (fraction) beyond its trigger; maintenance is taken at those prices.

    gaps: one per item, in order. An item without a stop is taken to move by its gap from mark; a stop in profit gains nothing.
    """
    left, held = equity, ZERO
    for item, gap in zip(items, gaps, strict=True):
        trigger = item.stop_price if item.stop_price is not None else item.mark
        fill = trigger * (ONE - gap * item.direction.sign)
        left -= item.qty * risk_per_unit(item.direction, _worst_start(item), fill, costs)
        held += maintenance_margin(item, fill)
    return StressResult("all stops hit with a gap", left, held)
