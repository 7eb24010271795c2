"""The figures of one run, from the exchange's truth and the journal's trades, in the stable JSON shape."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading_system.backtest.driver import BacktestRun, start_equity
from trading_system.backtest.statistics import Outcome
from trading_system.domain import log_events as ev
from trading_system.domain.units import ZERO, from_ms
from trading_system.execution.registry import ClosedTrade


def trade_rows(run: BacktestRun) -> list[dict[str, Any]]:
    """Closed trades in order of their close. `funding` is what was paid (received = negative); net = gross - fees - funding."""
    return [_trade_row(trade) for trade in run.live.positions.closed_trades()]


def _trade_row(trade: ClosedTrade) -> dict[str, Any]:
    position = trade.position
    tally, regime = position.tally, position.plan.regime
    return {
        "position_id": position.position_id,
        "symbol": position.symbol,
        "direction": position.direction.value,
        "opened_at": (tally.first_fill_at or position.plan.planned_at).isoformat(),
        "closed_at": (tally.last_fill_at or trade.closed_at).isoformat(),
        "entry_price": tally.average_entry,
        "exit_price": tally.average_exit,
        "qty": tally.entered,
        "gross_pnl": position.gross,
        "fees": tally.fees,
        "funding": -tally.funding,
        "net_pnl": position.net,
        "exit_reason": trade.reason.value,
        "r_multiple": r_multiple(trade),
        "regime": None if regime is None else regime.value,
        "score": position.plan.score,
    }


def r_multiple(trade: ClosedTrade) -> float | None:
    """Net profit in units of what the initial stop risked on the filled size; None when there is nothing to divide by."""
    unit, entered = trade.position.risk_per_unit, trade.position.tally.entered
    risk = unit * entered if unit is not None else ZERO
    return float(trade.position.net / risk) if risk > 0 else None


def outcomes(run: BacktestRun) -> list[Outcome]:
    """Closed trades as the statistics take them."""
    found = []
    for trade in run.live.positions.closed_trades():
        r = r_multiple(trade)
        if r is not None:
            position = trade.position
            found.append(
                Outcome(
                    day=trade.closed_at.date(),
                    r_multiple=r,
                    net_pnl=float(position.net),
                    gross_pnl=float(position.gross),
                    costs=float(position.tally.fees - position.tally.funding),
                )
            )
    return found


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
