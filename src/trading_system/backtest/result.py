"""The figures of one run, from the exchange's truth and the journal's trades, in the stable JSON shape."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from trading_system.backtest.driver import BacktestRun, start_equity
from trading_system.backtest.trades import as_mapping, row_of
from trading_system.domain import log_events as ev
from trading_system.domain.units import ZERO, from_ms


def trade_rows(run: BacktestRun) -> list[dict[str, Any]]:
    """Closed trades in order of their close, as mappings (see `TradeRow`)."""
    return [as_mapping(row_of(trade)) for trade in run.live.positions.closed_trades()]


def result_of(run: BacktestRun, wall_s: float) -> dict[str, Any]:
    """The whole result. Decimals are exact; the equity identity holds to the last digit or is named a violation."""
    account, log = run.exchange.account(), run.exchange.account_log()
    cash = [entry for entry in log if entry.asset == "usd"]
    realised = sum((entry.realized_pnl or ZERO for entry in cash), ZERO)
    fees = sum((entry.fee or ZERO for entry in cash), ZERO)
    funding = -sum((entry.realized_funding or ZERO for entry in cash), ZERO)
    unrealised = account.pnl + account.unrealized_funding
    equity_start, equity_end = start_equity(run), account.portfolio_value
    violations = violations_of(run)
    if equity_end != equity_start + realised + unrealised - fees - funding:
        violations.append(f"equity {equity_end} is not start + realised + unrealised - fees - funding")
    if run.watch.naked_s_max > 15:
        violations.append(f"a position was without a full stop for {run.watch.naked_s_max:.1f} s")
    return {
        "from": run.plan.start.isoformat(),
        "to": from_ms(run.exchange.now_ms).isoformat(),
        "symbols": len(run.exchange.symbols()),
        "bars": run.bars,
        "cycles": run.cycles,
        "wall_s": round(wall_s, 2),
        "signals": run.signals,
        "entries": run.entries,
        "trades": trade_rows(run),
        "naked_s_max": run.watch.naked_s_max,
        "violations": violations,
        "equity_start": equity_start,
        "equity_end": equity_end,
        "realised": realised,
        "unrealised": unrealised,
        "fees": fees,
        "funding": funding,
        "open_positions": len(run.live.positions.held()),
        "funnel": asdict(run.log.story.funnel(run.live.positions.get)),
        "cycles_by_mode": dict(run.log.story.cycles),
        "mode_causes": list(run.log.story.causes),
        "gates": dict(sorted(run.live.decisions.blocked.items(), key=lambda item: (-item[1], item[0]))),
    }


def violations_of(run: BacktestRun) -> list[str]:
    """Everything that must not have happened in a run without faults."""
    found = [
        f"{event}: {fields.get('phase') or fields.get('task') or ''} {fields.get('why') or fields.get('error')}"
        for event, fields in run.log.errors
    ]
    found += [f"{run.log.counts[name]} x {name}" for name in (ev.PHASE_FAILED, ev.READ_FAILED) if run.log.counts[name]]
    journal_fills, venue_fills = set(run.live.positions.state.fills), {fill.fill_id for fill in run.exchange.executions()}
    if journal_fills != venue_fills:
        found.append(
            f"{len(venue_fills - journal_fills)} fills of the venue are not in the journal, {len(journal_fills - venue_fills)} only there"
        )
    if run.deaths:
        found.append(f"{run.deaths} tasks died")
    return found


def plain(value: Any) -> Any:
    """JSON-able: Decimals as exact strings."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
