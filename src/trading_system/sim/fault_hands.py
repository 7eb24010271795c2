"""Acts that are not the daemon's: the owner with the app open, and the venue itself. Straight on the exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from trading_system.domain.units import floor_to_step
from trading_system.sim.exchange import SimExchange
from trading_system.sim.fault_plan import FaultKind, Moment
from trading_system.sim.model import CancelRequest, MarketMode, OrderRow, OrderType, PositionRow, SendRequest
from trading_system.sim.rng import seeded

VENUE_ACTS: Final = frozenset({FaultKind.STOP_VANISHES, FaultKind.ORDER_VANISHES, FaultKind.FORCED_CLOSE, FaultKind.FUNDING_DEBIT})
"""What the venue does by itself; the other acts are the owner's."""
MODES: Final = (MarketMode.POST_ONLY, MarketMode.CANCEL_ONLY, MarketMode.SUSPENDED)


def mode_of(draw: float) -> MarketMode:
    """The closed mode that a number in [0, 1) names."""
    return MODES[int(draw * len(MODES)) % len(MODES)]


def share_of(draw: float) -> Decimal:
    """The share of the book that is left, by a number in [0, 1): in half of the cases nothing, at most 2 %."""
    return Decimal(0) if draw < 0.5 else Decimal(str(round((draw - 0.5) * 0.04, 5)))


def perform(exchange: SimExchange, moment: Moment) -> bool:
    """Do it; False when there was nothing to do it to (no position, no stop)."""
    match moment.kind:
        case FaultKind.STOP_VANISHES | FaultKind.HUMAN_STOP_CANCEL:
            stop = _pick_stop(exchange, moment.draw)
            if stop is None:
                return False
            exchange.cancel(CancelRequest(order_id=stop.order_id))
            return True
        case FaultKind.HUMAN_CLOSE:
            positions = exchange.positions()
            if not positions:
                return False
            held = positions[int(moment.draw * len(positions))]
            side = "sell" if held.is_long else "buy"
            return exchange.send(SendRequest(held.symbol, "mkt", side, held.size, reduce_only=True)).status == "placed"
        case FaultKind.HUMAN_ORDER:
            return _buy_or_sell(exchange, moment)
        case FaultKind.MONEY_MOVES:
            share = Decimal("0.02") if moment.draw < 0.5 else Decimal("-0.01")
            exchange.deposit((exchange.account().balance * share).quantize(Decimal("0.01")))
            return True
        case FaultKind.ORDER_VANISHES:
            orders = exchange.open_orders()
            return bool(orders) and exchange.vanish(orders[int(moment.draw * len(orders))].order_id)
        case FaultKind.FORCED_CLOSE | FaultKind.FUNDING_DEBIT:
            return _take(exchange, moment)
        case _:
            raise ValueError(f"{moment.kind.value} is not an act")


def _take(exchange: SimExchange, moment: Moment) -> bool:
    """The venue takes a part (the whole, in half of the cases) of a position away, or charges up to 3.2 % of the balance on it."""
    held = _pick_position(exchange, moment.draw)
    if held is None:
        return False
    if moment.kind is FaultKind.FORCED_CLOSE:
        return exchange.unwind(held.symbol, Decimal(1) if moment.draw < 0.5 else Decimal("0.4"))
    share = Decimal(str(round(0.002 + 0.03 * moment.draw, 4)))
    return exchange.charge_funding(held.symbol, (exchange.account().balance * share).quantize(Decimal("0.01")))


def _pick_position(exchange: SimExchange, draw: float) -> PositionRow | None:
    positions = exchange.positions()
    # the first digits of the draw decide other particulars
    return positions[int(draw * 1000 % 1 * len(positions))] if positions else None


def _pick_stop(exchange: SimExchange, draw: float) -> OrderRow | None:
    stops = [row for row in exchange.open_orders() if row.order_type is OrderType.STP and row.reduce_only]
    return stops[int(draw * len(stops))] if stops else None


def _buy_or_sell(exchange: SimExchange, moment: Moment) -> bool:
    """A market order of 100 to 1000 USD somewhere, in half of the cases with a stop of the human's own."""
    rng = seeded("human", moment.draw)
    symbol = rng.choice(exchange.symbols())
    quote, spec = exchange.quote(symbol), exchange.spec(symbol)
    side, closing = rng.choice((("buy", "sell"), ("sell", "buy")))
    size = floor_to_step(Decimal(rng.randint(100, 1000)) / quote.mark, spec.size_step)
    if size < spec.size_min or exchange.send(SendRequest(symbol, "mkt", side, size)).status != "placed":
        return False
    if rng.random() < 0.5:
        away = Decimal("0.97") if side == "buy" else Decimal("1.03")
        trigger = (quote.mark * away // spec.tick) * spec.tick
        exchange.send(SendRequest(symbol, "stp", closing, size, stop_price=trigger, trigger_signal="mark", reduce_only=True))
    return True
