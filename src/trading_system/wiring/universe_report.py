"""Every market the venue offers: its tier, or why it is left out; and what keeps one market from being entered right now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading_system.data.tiering import Eligible
from trading_system.domain.symbols import Symbol
from trading_system.live.live_trading import LiveTrading


@dataclass(frozen=True, slots=True)
class MarketRow:
    """volume in USD of 24 h, spread as a fraction of mid.

    excluded: the reason, None = eligible; limit and actual are set where a number decided.
    """

    symbol: str
    tier: str | None
    volume_usd_24h: Decimal | None
    spread: Decimal | None
    health: str
    status: str | None
    is_pinned: bool
    is_held: bool
    excluded: str | None
    limit: Decimal | None
    actual: Decimal | None


@dataclass(frozen=True, slots=True)
class UniverseReport:
    """as_of None: no discovery yet."""

    as_of: datetime | None
    eligible: int
    markets: tuple[MarketRow, ...]


def report_universe(live: LiveTrading) -> UniverseReport:
    """Eligible ones first (by tier, then volume), then the others by name."""
    universe = live.markets.universe
    if universe is None:
        return UniverseReport(None, 0, ())
    rows = sorted((report_market(live, symbol) for symbol in universe.judgements), key=_order)
    return UniverseReport(universe.at, len(live.markets.eligible()), tuple(rows))


def report_market(live: LiveTrading, symbol: Symbol) -> MarketRow:
    """One market as the newest discovery and quote see it; never raises."""
    known = live.markets.explain(symbol)
    ticker, judged = live.quotes.ticker(symbol), known.judgement
    tier = live.markets.tier(symbol)
    is_eligible = isinstance(judged, Eligible)
    return MarketRow(
        symbol=symbol,
        tier=None if tier is None else tier.value,
        volume_usd_24h=None if ticker is None else ticker.volume_quote_24h,
        spread=None if ticker is None else ticker.spread,
        health=live.candles.health.state(symbol).value,
        status=None if known.mode is None else known.mode.value,
        is_pinned=isinstance(judged, Eligible) and judged.is_pinned,
        is_held=live.positions.by_symbol(symbol) is not None,
        excluded=None if is_eligible else judged.reason.value if not isinstance(judged, Eligible) else None,
        limit=None if isinstance(judged, Eligible) else judged.limit,
        actual=None if isinstance(judged, Eligible) else judged.actual,
    )


def what_blocks(live: LiveTrading, symbol: Symbol) -> tuple[str, ...]:
    """What would keep a signal of this market from becoming an entry now, besides the state of the whole account."""
    reasons: list[str] = []
    block = live.markets.entry_block(symbol)
    if block is not None:
        reasons.append(f"market: {block.value}")
    position = live.positions.by_symbol(symbol)
    if position is not None:
        reasons.append(f"position {position.position_id} is {position.state.value}")
    leftover = live.positions.leftover_on(symbol)
    if leftover is not None:
        reasons.append(f"order {leftover.client_order_id} of an ended position is still open")
    emitted, cooldown = live.cooldowns.last_emitted(symbol), live.signal_rules.cooldown
    if emitted is not None and live.clock.now() - emitted < cooldown:
        reasons.append(f"cooldown until {emitted + cooldown:%Y-%m-%d %H:%M} UTC")
    if not live.quotes.is_usable(symbol, live.clock.now()):
        reasons.append("its quote may not carry an entry (old, crossed, or an outlier)")
    return tuple(reasons)


def _order(row: MarketRow) -> tuple[bool, str, Decimal, str]:
    return row.excluded is not None, row.tier or "Z", -(row.volume_usd_24h or Decimal(0)), row.symbol
