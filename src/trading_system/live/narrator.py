"""Tells people what happened: one log line per fact, history rows, alerts. Reads reports and journal events; decides nothing.

Grepping a position id in the log gives its whole story in order: plan and sizes, orders, fills, stop, exit, P&L.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, assert_never

from trading_system.domain import log_events as ev
from trading_system.domain.intents import Approved, EntryDecision, EntryIntent, Refused
from trading_system.domain.modes import Mode
from trading_system.domain.orders import ClientOrderId
from trading_system.domain.positions import OwnOrder, Position
from trading_system.domain.protocols import Alerter, EventRecorder
from trading_system.domain.signals import NoSignal, Signal
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, from_ms
from trading_system.execution.execution_gateway import SendStatus
from trading_system.execution.order_ids import position_id_of
from trading_system.execution.protection import NakedStage
from trading_system.execution.reconcile import AdoptPending, Defer, StrangeOrder, Unmanaged
from trading_system.live.account_sync import SyncReport
from trading_system.live.auction_runner import AuctionReport
from trading_system.live.coin_processor import ScanReport
from trading_system.live.cycle_report import CycleReport
from trading_system.live.kill_switch_ops import CleanupReport
from trading_system.live.log_port import Log
from trading_system.live.position_desk import Work
from trading_system.live.signal_handler import RefusedSignal, SignalRefusal, SignalReport
from trading_system.portfolio.auction_allocator import AuctionPlan
from trading_system.risk.loss_state import LossEvent, LossStanding
from trading_system.safety.auto_recovery import RecoveryRefusal
from trading_system.safety.invariant_monitor import Assessment
from trading_system.safety.invariants import Invariant, Level
from trading_system.safety.modes import Halt

_LOSS_ALERTS: Final = {
    LossEvent.DAILY_WARNING: ("DAILY_LOSS_WARNING", False),
    LossEvent.DAILY_STOP: ("DAILY_STOP", True),
    LossEvent.WEEKLY_STOP: ("WEEKLY_STOP", True),
    LossEvent.DRAWDOWN_HALT: ("MAX_DRAWDOWN", True),
}
_LOSS_LINES: Final = {
    LossEvent.TRACKING_INITIALIZED: ev.DAILY_LOSS_TRACKING,
    LossEvent.DAILY_WARNING: ev.DAILY_LOSS_WARNING,
    LossEvent.DAILY_STOP: ev.DAILY_STOP,
    LossEvent.WEEKLY_STOP: ev.WEEKLY_STOP,
}


class Narrator:
    """One per LiveTrading."""

    def __init__(self, log: Log, recorder: EventRecorder, alerts: Alerter) -> None:
        self._log = log
        self._recorder = recorder
        self._alerts = alerts
        self._recovery: RecoveryRefusal | None = None
        self._is_breaker_told = False
        self._traced: dict[Symbol, str] = {}
        """The code of each symbol's last trace row."""
        self._stuck: set[ClientOrderId] = set()
        self._alone: frozenset[str] = frozenset()

    # --- decisions --------------------------------------------------------------------------------------------------

    def waiting(self, candidates: int, why: str) -> None:
        """There are candidates, and nothing to size them on."""
        self._log.warning(ev.ENTRIES_WAIT, candidates=candidates, why=why)

    def scanned(self, report: ScanReport) -> None:
        for decision in report.traced:
            ladder = decision.ladder
            code = decision.reason_code if isinstance(decision, NoSignal) else "SIGNAL"
            if isinstance(decision, NoSignal):
                gates = " | ".join(f"{g.name}={g.state.value}" for g in ladder.gates)
                self._log.debug(ev.NO_SIGNAL, symbol=decision.symbol, reason=code, gates=gates)
            row: dict[str, object] = {
                "symbol": decision.symbol,
                "outcome": "signal" if code == "SIGNAL" else "no_signal",
                "reason_code": code,
            }
            if self._traced.get(decision.symbol) == code:
                # the same again: the gate that stopped it says all, and a row of it weighs a tenth
                blocking = ladder.blocking
                row |= {"price": ladder.price, "blocking": None if blocking is None else blocking._asdict()}
            else:
                row |= {"ladder": ladder.facts()}
            self._traced[decision.symbol] = code
            self._recorder.record("decision_trace", from_ms(decision.at_ms), row)

    def signals(self, report: SignalReport) -> None:
        for candidate in report.candidates:
            signal = candidate.intent.signal
            passed = " | ".join(f"{gate.name}: {gate.actual} ({gate.required})" for gate in signal.ladder.gates)
            self._log.info(ev.SIGNAL, position_id=candidate.intent.position_id, **_signal_fields(signal), gates=passed)
        for refusal in report.refused:
            self._refused_signal(refusal)

    def _refused_signal(self, refusal: RefusedSignal) -> None:
        signal = refusal.signal
        event = {SignalRefusal.SPREAD: ev.SIGNAL_REJECTED_SPREAD, SignalRefusal.QUOTE: ev.QUOTE_REFUSED}.get(
            refusal.reason, ev.SIGNAL_REJECTED
        )
        level = self._log.debug if refusal.reason is SignalRefusal.COOLDOWN else self._log.info
        level(
            event,
            position_id=position_id_of(signal.symbol, signal.at_ms),
            symbol=signal.symbol,
            reason=refusal.reason.value,
            fault=None if refusal.fault is None else refusal.fault.value,
            limit=refusal.limit,
            actual=refusal.actual,
        )

    def starved(self, signals: int, window: timedelta) -> None:
        """Signals came and not one order left."""
        hours = window.total_seconds() / 3600
        self._log.warning(ev.TRADE_STARVATION, signals=signals, hours=hours)
        text = f"{signals} signals and no order within {hours:g} h: something refuses every entry (ENTRY_REFUSED in the log says what)"
        self._alerts.alert("TRADE_STARVATION", text)

    def planned(self, plan: AuctionPlan) -> None:
        """The auction's result, before anything is sent."""
        if plan.winners or plan.losers or plan.closes:
            self._log.info(
                ev.AUCTION_RESULT,
                winners=[f"{w.candidate.intent.position_id} {w.value}" for w in plan.winners],
                losers=[f"{x.candidate.intent.position_id} {x.value} {x.reason.value}" for x in plan.losers],
                closes=[f"{c.holding.position_id} for {c.rival.symbol} +{c.advantage}" for c in plan.closes],
            )
        for loser in plan.losers:
            fields: dict[str, Any] = {"position_id": loser.candidate.intent.position_id, "symbol": loser.candidate.symbol}
            if loser.refused is not None:
                self._refused(loser.refused, **fields)
            else:
                self._log.info(ev.ENTRY_REFUSED, reason=loser.reason.value, **fields)

    def decided(self, intent: EntryIntent, decision: EntryDecision) -> None:
        """The risk manager's last word on one entry, before it is sent."""
        fields: dict[str, Any] = {"position_id": intent.position_id, "symbol": intent.symbol}
        match decision:
            case Refused():
                self._refused(decision, **fields)
            case Approved():
                self._approved(decision, **fields)
            case _:
                assert_never(decision)

    def auctioned(self, report: AuctionReport) -> None:
        """What could not be sent or was refused by the venue; what was accepted is told by the journal's own events."""
        for submission in report.submissions:
            sent = submission.report
            if sent is not None and sent.status in (SendStatus.REJECTED, SendStatus.SKIPPED):
                self._log.error(
                    ev.EXECUTION_FAILED,
                    what="entry",
                    status=sent.status.value,
                    detail=sent.detail,
                    position_id=sent.position_id,
                    symbol=sent.symbol,
                )

    def _refused(self, refused: Refused, **fields: Any) -> None:
        event = ev.LIVE_EXPOSURE_BLOCKING if refused.reason.value == "LIVE_EXPOSURE" else ev.ENTRY_REFUSED
        self._log.info(event, reason=refused.reason.value, limit=refused.limit, actual=refused.actual, note=refused.note, **fields)

    def _approved(self, approved: Approved, **fields: Any) -> None:
        trace = approved.trace
        sizes = [f"{clamp.name}: {clamp.before:.2f} -> {clamp.after:.2f}" for clamp in trace.clamps if clamp.binds]
        self._log.info(
            ev.ENTRY_APPROVED,
            **fields,
            direction=approved.direction.value,
            qty=approved.qty,
            limit_price=approved.limit_price,
            stop_price=approved.stop_price,
            take_profits=[str(target.price) for target in approved.take_profits],
            notional_usd=round(approved.notional, 2),
            leverage=round(approved.planned_leverage, 2),
            margin_usd=round(approved.planned_margin, 2),
            risk_usd=round(approved.open_risk, 2),
            sizing=trace.method,
            wanted_usd=round(trace.wanted, 2),
            clamps=sizes,
            cost_bps=round(approved.expected_cost_bps, 1),
        )

    # --- positions --------------------------------------------------------------------------------------------------

    def worked(self, done: Iterable[Work]) -> None:
        """Only what did not go as planned: what did is told by the journal's own events."""
        for work in done:
            report = work.report
            if report.status is SendStatus.DONE:
                continue
            level = self._log.debug if report.status is SendStatus.SKIPPED else self._log.warning
            level(
                ev.ACTION_NOT_DONE,
                position_id=work.position.position_id,
                symbol=work.position.symbol,
                action=type(work.action).__name__,
                status=report.status.value,
                detail=report.detail,
            )

    def synced(self, report: SyncReport) -> None:
        """Failed reads, findings, alarms. A quiet look says nothing."""
        for failure in report.reads.failures:
            self._log.warning(ev.READ_FAILED, why=failure)
        if report.flows_failed is not None:
            self._log.warning(ev.READ_FAILED, why=f"account log: {report.flows_failed}")
        for finding in report.books.findings:
            if isinstance(finding, Defer):
                self._log.debug(ev.RECONCILE_DEFERRED, symbol=finding.symbol, why=finding.why)
            elif isinstance(finding, AdoptPending):
                self._log.warning(ev.PENDING_ADOPTED, position_id=finding.position_id, qty=finding.delta, evidence=finding.evidence)
        self._left_alone(report)
        for double in report.books.doubles:
            self._log.error(
                ev.ORDER_UNKNOWN, symbol=double.symbol, client_order_id=double.client_order_id, why="a second order under one id"
            )
            self._alerts.alert(
                "EXCEPTION", f"{double.symbol}: a second order rests under id {double.client_order_id}; an entry is cancelled", urgent=True
            )
        for refused in report.books.refused:
            self._log.error(ev.RECONCILE_REFUSED, why=refused)
        for alarm in report.alarms:
            line = ev.NAKED_PERSISTENT if alarm.stage is NakedStage.PERSISTENT else ev.NAKED_FIRST
            self._log.error(line, symbol=alarm.symbol, qty=alarm.qty, naked_s=round(alarm.naked_s, 1))
            self._alerts.alert(
                "NAKED_POSITION",
                f"{alarm.symbol}: {alarm.qty} without a stop for {alarm.naked_s:.0f} s; placing one",
                symbol=alarm.symbol,
                urgent=True,
            )
        if report.books.fills:
            fees = sum((fill.fee_usd or ZERO for fill in report.books.fills), ZERO)
            self._log.info(
                f"{ev.FILL_RECONCILIATION}: {len(report.books.fills)} fills, {len(report.books.events)} orders updated, ${fees:.2f} fees"
            )

    def _left_alone(self, report: SyncReport) -> None:
        """What is on the venue and is not ours to touch: told when it appears, not at every look while it stays."""
        found: dict[str, Unmanaged | StrangeOrder] = {}
        for finding in report.books.findings:
            if isinstance(finding, Unmanaged):
                found[finding.symbol] = finding
            elif isinstance(finding, StrangeOrder):
                found[finding.order.venue_order_id] = finding
        for key, one in found.items():
            if key not in self._alone:
                self._log.warning(ev.PHANTOM, what=type(one).__name__, detail=str(one))
                self._alerts.alert("RECONCILE_ADOPTED", f"Left alone, look at the venue: {one}", urgent=True)
        self._alone = frozenset(found) if report.reads.is_complete else self._alone | found.keys()

    def cleaned(self, report: CleanupReport) -> None:
        """What a halt did to orders."""
        for order in report.cancelled:
            self._log.warning(
                ev.ORDER_CANCEL_ASKED, position_id=order.position_id, client_order_id=order.client_order_id, purpose=order.purpose.value
            )
        if report.is_newly_done:
            for stop in report.preserved:
                self._log.info(ev.KILL_SWITCH_PRESERVING, symbol=stop.symbol, trigger_price=stop.trigger_price, qty=stop.qty)
            self._log.warning(ev.KILL_SWITCH_CLEANUP_DONE, preserved_stop_losses=len(report.preserved))

    # --- safety -----------------------------------------------------------------------------------------------------

    def losses(self, events: Iterable[LossEvent], standing: LossStanding | None) -> None:
        for event in events:
            fields: dict[str, Any] = {}
            if standing is not None:
                fields = {
                    "day_pnl_usd": round(standing.day_pnl, 2),
                    "day_limit_usd": round(standing.day_limit_usd, 2),
                    "week_pnl_usd": round(standing.week_pnl, 2),
                    "drawdown": round(standing.drawdown, 4),
                }
            line = _LOSS_LINES.get(event, event.value)
            (self._log.warning if event in _LOSS_ALERTS else self._log.info)(line, **fields)
            if event in _LOSS_ALERTS:
                kind, urgent = _LOSS_ALERTS[event]
                self._alerts.alert(
                    kind, f"{line}: day {fields.get('day_pnl_usd')} USD, week {fields.get('week_pnl_usd')} USD", urgent=urgent
                )

    def assessed(self, assessment: Assessment) -> None:
        if assessment.has_recovered:
            self._log.warning(ev.AUTO_RECOVERY)
            self._alerts.alert("AUTO_RECOVERY", "Margin is low again: the kill switch was cleared by itself", urgent=True)
        if assessment.recovery is not self._recovery and assessment.recovery is RecoveryRefusal.DAILY_LIMIT:
            self._log.warning(ev.AUTO_RECOVERY_LIMIT)
        self._recovery = assessment.recovery
        is_tripped = any(v.invariant is Invariant.ENTRY_RATE and v.level is not Level.FINE for v in assessment.verdicts)
        if is_tripped and not self._is_breaker_told:
            text = "Too many entry requests: entries are off until `resume --reason TEXT`. Positions stay managed. Look at the orders first"
            self._alerts.alert("CIRCUIT_BREAKER", text, urgent=True)
        self._is_breaker_told = is_tripped
        if assessment.before is assessment.after:
            return
        causes = [
            f"{v.invariant.value} actual={v.actual} limit={v.limit} {v.note}".strip()
            for v in assessment.verdicts
            if v.level in (Level.DEGRADED, Level.HALT)
        ]
        line = {Mode.DEGRADED: ev.DEGRADED, Mode.HALTED: ev.HALTED, Mode.KILL_SWITCH: ev.KILL_SWITCH_ACTIVATED}.get(
            assessment.after, ev.MODE_CHANGED
        )
        level = self._log.info if assessment.after is Mode.NORMAL else self._log.warning
        level(line, before=assessment.before.value, after=assessment.after.value, causes=causes)
        if assessment.after.is_halted:
            self._alerts.alert("KILL_SWITCH", f"KILL SWITCH: {'; '.join(causes)}. Stops stay on the venue. Look, then: resume", urgent=True)

    def halted(self, record: Halt, before: Mode) -> None:
        """A halt that came from outside the invariants: the file, an operator, a task that died."""
        line = ev.KILL_SWITCH_ACTIVATED if record.mode is Mode.KILL_SWITCH else ev.HALTED
        self._log.warning(line, before=before.value, after=record.mode.value, reason=record.reason, by=record.by)
        kind = "KILL_SWITCH" if record.mode is Mode.KILL_SWITCH else "SYSTEM_HALTED"
        text = f"{line}: {record.reason} (by {record.by}). Entries are off, stops stay on the venue. Look, then: resume"
        self._alerts.alert(kind, text, urgent=True)

    def stuck(self, orders: Iterable[OwnOrder]) -> None:
        """Orders that could not be resolved for long: each is told once."""
        for order in orders:
            if order.client_order_id in self._stuck:
                continue
            self._stuck.add(order.client_order_id)
            why = "nobody has known for ten minutes whether the venue has it"
            self._log.error(ev.ORDER_UNKNOWN, position_id=order.position_id, client_order_id=order.client_order_id, why=why)
            text = f"{order.symbol}: {why}: {order.client_order_id}. It counts as there and is never sent again; look at the venue's orders"
            self._alerts.alert("EXCEPTION", text, symbol=order.symbol, urgent=True)

    def dust(self, position: Position, text: str) -> None:
        """A position that no order can close any more."""
        self._log.warning(ev.DUST, position_id=position.position_id, symbol=position.symbol, qty=position.qty, why=text)
        told = f"{position.symbol}: {text}. No stop and no close is possible for it; close it at the venue by hand"
        self._alerts.alert("EXCEPTION", told, symbol=position.symbol)

    def failed(self, where: str, error: BaseException | None) -> None:
        """An exception that reached a phase or a task; the caller logs its traceback. Repeats are held back per place."""
        text = f"{where} failed: {error!r}. It is tried again, protection goes on; the log has the traceback"
        self._alerts.alert("EXCEPTION", text, symbol=where, urgent=False)

    # --- the cycle --------------------------------------------------------------------------------------------------

    def cycle(self, report: CycleReport, finished_s: float) -> None:
        self._log.info(ev.CYCLE_SUMMARY, **report.fields(finished_s))
        if report.portfolio:
            self._log.info(ev.ACTIVE_PORTFOLIO, positions=report.portfolio)
        if report.failed_phases or report.not_computed:
            known_gaps = [name for name in report.not_computed if name != "budget"]
            if report.failed_phases or known_gaps:
                self._log.warning(ev.CYCLE_SUMMARY_FAILED, phases=report.failed_phases, not_computed=known_gaps)


def _signal_fields(signal: Signal) -> dict[str, Any]:
    return {
        "symbol": signal.symbol,
        "direction": signal.direction.value,
        "regime": signal.regime.value,
        "setup": signal.setup,
        "score": signal.score,
        "entry": signal.entry_price,
        "stop": signal.stop_price,
        "target": signal.target_price,
        "rr": round(signal.reward_risk, 2),
        "cost_bps": round(signal.cost_bps, 1),
    }
