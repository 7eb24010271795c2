"""From a permitted wish to a sized proposal: prices on ticks, the wished size, the clamps, the floor to the size step."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from trading_system.domain.exposure import ExposureItem, ExposureKind, exposure_item, risk_per_unit
from trading_system.domain.intents import EntryIntent, RefusalReason, Refused, SizingTrace, TakeProfitTarget
from trading_system.domain.market import Instrument, Ticker
from trading_system.domain.orders import Direction, EntryStyle
from trading_system.domain.units import (
    ONE,
    ZERO,
    Price,
    Qty,
    Usd,
    decimal_of,
    floor_to_step,
    round_price,
    round_price_down,
    round_price_up,
)
from trading_system.risk.caps import CapInputs, clamp, compute_caps
from trading_system.risk.limits import RiskLimits
from trading_system.risk.loss_state import LossStanding
from trading_system.risk.situation import Situation
from trading_system.risk.sizing import compute_wanted_size


@dataclass(frozen=True, slots=True)
class EntryPrices:
    """mark: the venue's; limit: the worst price we pay; stop: on the tick; reference: worst of mark and limit for notionals;
    start: where a loss would begin (long: the higher of mark and limit, short: the lower)."""

    mark: Price
    limit: Price
    stop: Price

    @property
    def reference(self) -> Decimal:
        return max(self.mark, self.limit)

    def start(self, direction: Direction) -> Decimal:
        return max(self.mark, self.limit) if direction is Direction.LONG else min(self.mark, self.limit)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A sized entry on its way through the last gates. `item` is what it will be in every measure of exposure."""

    intent: EntryIntent
    prices: EntryPrices
    qty: Qty
    item: ExposureItem
    trace: SizingTrace


def compute_prices(intent: EntryIntent, ticker: Ticker, instrument: Instrument, slippage_max: Decimal, style: EntryStyle) -> EntryPrices:
    """Prices on the tick. The quote gates have passed: bid, ask and mark are there (else ValueError)."""
    if ticker.mark is None or ticker.bid is None or ticker.ask is None:
        raise ValueError(f"quote of {intent.symbol} is incomplete")
    is_long, tick = intent.direction is Direction.LONG, instrument.tick
    near, far = (ticker.bid, ticker.ask) if is_long else (ticker.ask, ticker.bid)
    match style:
        case EntryStyle.IOC:
            bound = far * (ONE + slippage_max * intent.direction.sign)
            # rounded inwards: a tick must not lift the price above the cap
            limit = round_price_down(bound, tick) if is_long else round_price_up(bound, tick)
        case EntryStyle.LIMIT:
            limit = round_price(far, tick)
        case EntryStyle.POST_ONLY:
            limit = round_price(near, tick)
        case _:
            assert_never(style)
    level = decimal_of(intent.signal.stop_price)
    # towards the entry: rounding may shorten the loss, never lengthen it
    stop = round_price_up(level, tick) if is_long else round_price_down(level, tick)
    return EntryPrices(ticker.mark, limit, stop)


def compute_take_profits(intent: EntryIntent, prices: EntryPrices, tick: Decimal, limits: RiskLimits) -> tuple[TakeProfitTarget, ...]:
    """TP1 and TP2 in R of the distance mark to stop; a share of 0, or a level that is not above zero, yields none."""
    plan, split = limits.take_profits, limits.take_profits.split(intent.signal.regime)
    distance = abs(prices.mark - prices.stop)
    targets = []
    for r_multiple, share in ((plan.tp1_r, split.tp1), (plan.tp2_r, split.tp2)):
        price = round_price(prices.mark + distance * r_multiple * intent.direction.sign, tick)
        if share > 0 and price > 0:
            targets.append(TakeProfitTarget(r_multiple, share, price))
    return tuple(targets)


def size_entry(
    intent: EntryIntent, prices: EntryPrices, situation: Situation, losses: LossStanding, limits: RiskLimits
) -> Proposal | Refused:
    """Wish, clamp, floor. Refused when the method wants nothing or a cap leaves no room; dust is judged by the next gates."""
    market, equity = situation.market, situation.account.equity_for_sizing
    instrument, leverage = market.instrument, limits.leverage_for(market.tier)
    if (prices.start(intent.direction) - prices.stop) * intent.direction.sign <= 0 or prices.mark == prices.stop:
        return Refused(RefusalReason.STOP_WRONG_SIDE, ZERO, ZERO, note="rounded to ticks, nothing lies between entry and stop")
    wanted = compute_wanted_size(
        equity=equity,
        mark=prices.mark,
        stop=prices.stop,
        levels=instrument.margin_levels,
        leverage_max=leverage,
        atr_ratio=market.atr_ratio,
        limits=limits.sizing,
    )
    if wanted.qty <= 0:
        return Refused(RefusalReason.SIZE_ZERO, ZERO, wanted.qty, note=f"{limits.sizing.method.value} wants no position")
    unit_risk = risk_per_unit(intent.direction, prices.start(intent.direction), prices.stop, limits.exit_costs)
    caps = compute_caps(
        CapInputs(
            items=situation.book.items,
            equity=equity,
            available_margin=situation.account.available_margin,
            losses=losses,
            tier=market.tier,
            levels=instrument.margin_levels,
            position_qty_max=instrument.position_size_max,
            reference=prices.reference,
            unit_risk=unit_risk,
            ceiling_qty=wanted.ceiling_qty,
        ),
        limits,
    )
    clamps = clamp(wanted.qty * prices.reference, caps)
    if isinstance(clamps, Refused):
        return clamps
    qty = Qty(floor_to_step(clamps[-1].after / prices.reference, instrument.size_step))
    trace = SizingTrace(
        method=limits.sizing.method.value,
        equity=equity,
        stop_distance=abs(prices.mark - prices.stop) / prices.mark,
        wanted=Usd(wanted.qty * prices.reference),
        clamps=clamps,
        final_qty=qty,
        final_notional=Usd(qty * prices.reference),
    )
    item = exposure_item(
        symbol=intent.symbol,
        direction=intent.direction,
        kind=ExposureKind.IN_FLIGHT,
        qty=qty,
        mark=prices.mark,
        entry_price=prices.limit,
        stop_price=prices.stop,
        margin_levels=instrument.margin_levels,
        leverage_max=leverage,
    )
    return Proposal(intent, prices, qty, item, trace)
