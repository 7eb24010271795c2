"""What a human may ask of or tell the running daemon, whatever the door: authorised by the door, journaled here, then done.

One object for the local socket, a chat bot or whatever comes; each names who speaks. State-changing commands run one after
the other. Nothing here sends an order by itself: closes go through `BeginClose`, stops through the gateway.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, assert_never

import msgspec

from trading_system.domain import events as je
from trading_system.domain import log_events as ev
from trading_system.domain.actions import BeginClose
from trading_system.domain.modes import Mode
from trading_system.domain.positions import CloseReason, Position, PositionState
from trading_system.domain.symbols import Symbol, normalise
from trading_system.domain.units import ZERO
from trading_system.execution.execution_gateway import SendStatus
from trading_system.execution.journal import JournalFailed
from trading_system.execution.protection import plan_missing_stops
from trading_system.execution.reconcile import MarketFacts
from trading_system.live.health_monitor import measure
from trading_system.live.live_trading import LiveTrading
from trading_system.safety.invariants import Invariant, Level, Verdict
from trading_system.safety.modes import Halt, ResumeRefusal
from trading_system.wiring.control_protocol import (
    Answer,
    FlattenOrder,
    HaltOrder,
    PlaceStopsOrder,
    PositionsQuery,
    Request,
    ResumeOrder,
    StatusQuery,
    UniverseQuery,
    WhyQuery,
    name_of,
)
from trading_system.wiring.daemon import Daemon
from trading_system.wiring.ladder_report import by_nearness, report_ladder
from trading_system.wiring.position_release import release_position
from trading_system.wiring.position_report import report_positions
from trading_system.wiring.status_report import About, report_status, why_entries_are_off
from trading_system.wiring.universe_report import report_market, report_universe, what_blocks

OPERATOR: Final = "operator"
"""`by` of a halt that a human ordered."""
STEP_WORDS: Final = ("", "flow", "pnl")


class Commands:
    """One per daemon. `answer` never raises for what the venue or the disk does."""

    def __init__(self, daemon: Daemon, about: About) -> None:
        self._daemon = daemon
        self._live: LiveTrading = daemon.live
        self._about = about
        self._one_at_a_time = asyncio.Lock()

    async def answer(self, request: Request, who: str) -> Answer:
        """Answer a question at once, or carry out an order of `who` (already authorised by the door it came through)."""
        match request:
            case StatusQuery():
                daemon = self._daemon
                return _found(report_status(self._live, self._about, daemon.last_tick_s, daemon.protection.progress_s))
            case PositionsQuery():
                return _found({"positions": report_positions(self._live.positions.state, self._live.quotes.mark)})
            case WhyQuery():
                return self._why(request.symbol)
            case UniverseQuery():
                return _found(report_universe(self._live))
            case HaltOrder() | ResumeOrder() | FlattenOrder() | PlaceStopsOrder():
                async with self._one_at_a_time:
                    return await self._obey(request, who)
            case _:
                assert_never(request)

    async def _obey(self, order: HaltOrder | ResumeOrder | FlattenOrder | PlaceStopsOrder, who: str) -> Answer:
        done: Answer
        match order:
            case HaltOrder():
                done = await self._halt(order, who)
            case ResumeOrder():
                done = await self._resume(order, who)
            case FlattenOrder():
                done = await self._flatten(order, who)
            case PlaceStopsOrder():
                done = await self._place_stops(order, who)
            case _:
                assert_never(order)
        self._live.log.warning(ev.OPERATOR_COMMAND, command=name_of(order), who=who, refused=done.error or None)
        return done

    # --- questions --------------------------------------------------------------------------------------------------

    def _why(self, text: str) -> Answer:
        live = self._live
        account = why_entries_are_off(live)
        if not text:
            return _found({"entries_off": account, "markets": by_nearness(live.decisions.all())})
        try:
            symbol = normalise(text)
        except ValueError as error:
            return Answer(str(error))
        if live.markets.instrument(symbol) is None:
            return Answer(f"the venue offers no market {symbol}")
        decision = live.decisions.last(symbol)
        return _found(
            {
                "symbol": symbol,
                "entries_off": account,
                "blocked_by": what_blocks(live, symbol),
                "market": report_market(live, symbol),
                "ladder": None if decision is None else report_ladder(decision),
            }
        )

    # --- halt and resume --------------------------------------------------------------------------------------------

    async def _halt(self, order: HaltOrder, who: str) -> Answer:
        reason = order.reason.strip()
        if not reason:
            return Answer("a reason is required: halt --reason TEXT")
        self._note("operator_halt", f"{who}: {reason}")
        await self._latch(reason, who)
        return self._mode_now()

    async def _latch(self, reason: str, who: str) -> None:
        """The kill switch: entries and take-profits go, stops stay, positions stay managed."""
        live = self._live
        live.halt(Halt(Mode.KILL_SWITCH, Invariant.OPERATOR, f"{reason} ({who})", OPERATOR, live.clock.now()))
        await live.enforce()
        self._daemon.protection.ask_for_look()

    async def _resume(self, order: ResumeOrder, who: str) -> Answer:
        live, reason = self._live, order.reason.strip()
        if order.release:
            released = await release_position(live, order.release, f"{who}: {reason}" if reason else "")
            self._daemon.protection.ask_for_look()
            return Answer(released.refusal) if released.refusal else _found({"released": released.text, **self._mode_now().facts})
        refusal = self._plainly_refused(reason)
        if refusal is not None:
            return Answer(refusal.value)
        view = live.account_view
        if order.rebase_high_water and (view.snapshot is None or not view.is_fresh(live.clock.monotonic())):
            return Answer("the account was not read in the last minutes: there is no equity to rebase the high-water mark on")
        if order.step_was not in STEP_WORDS:
            return Answer(f"step_was must be one of {', '.join(word for word in STEP_WORDS if word)}")
        try:
            said = f"{who}: {reason}" + (f" (the balance step was {order.step_was})" if order.step_was else "")
            note = je.DecisionNoted(live.clock.now(), "operator_resume", live.monitor.mode.value, said)
            live.journal.record(note)
        except JournalFailed as error:
            return Answer(f"the journal cannot be written ({error}): nothing is resumed")
        if order.rebase_high_water and view.snapshot is not None:
            live.losses.rebase_high_water(view.snapshot, live.positions_booked_pnl(), live.clock.now())
        if order.step_was:
            live.losses.accept_step(as_external_flow=order.step_was == "flow", now=live.clock.now())
        live.control.reset_entry_rate()
        verdicts = live.monitor.judge(measure(live.health_facts(), live.venue_health, live.risk_limits))
        before = live.monitor.mode
        if before is Mode.NORMAL:
            return self._mode_now()  # the breaker tripped a moment ago and was all there was
        try:
            refusal = live.monitor.resume(reason, live.clock.now(), verdicts=verdicts, rebased_high_water=order.rebase_high_water)
        except OSError as error:
            return Answer(f"the latch files cannot be written ({error}): it stays {before.value}")
        if refusal is not None:
            return Answer(_with_verdicts(refusal, verdicts))
        live.log.warning(ev.RESUMED, before=before.value, after=live.monitor.mode.value, reason=reason, who=who)
        live.alerts.alert("KILL_SWITCH", f"Halt lifted by {who}: {reason}. Mode is now {live.monitor.mode.value}", urgent=True)
        live.desk.renew_take_profits()
        await live.enforce()
        self._daemon.protection.ask_for_look()
        return self._mode_now()

    def _plainly_refused(self, reason: str) -> ResumeRefusal | None:
        """What needs no judgement: asked before anything is journaled."""
        if not reason:
            return ResumeRefusal.NO_REASON
        if self._live.monitor.kill_file_exists():
            return ResumeRefusal.KILL_FILE
        is_fine = self._live.monitor.mode is Mode.NORMAL and not self._live.control.is_entry_rate_tripped()
        return ResumeRefusal.NOTHING_TO_RESUME if is_fine else None

    def _mode_now(self) -> Answer:
        monitor = self._live.monitor
        return _found(
            {
                "state": monitor.mode.value,
                "causes": [cause.note or cause.invariant.value for cause in monitor.state.causes],
                "entries_off": why_entries_are_off(self._live),
                "positions": len(self._live.positions.held()),
            }
        )

    # --- positions --------------------------------------------------------------------------------------------------

    async def _flatten(self, order: FlattenOrder, who: str) -> Answer:
        """Close everything that is held, reduce-only, step by step; the kill switch is latched first, so that nothing opens again."""
        live = self._live
        held = live.positions.held()
        if not held:
            return Answer("no position is open; entries are stopped by `halt`")
        words = f"FLATTEN {len(held)} POSITION{'S' if len(held) > 1 else ''}"
        if not order.confirmation:
            rows = report_positions(live.positions.state, live.quotes.mark)
            return _found({"confirmation": words, "positions": [row for row in rows if row.qty > 0]})
        if order.confirmation != words:
            return Answer(f"not confirmed: type exactly {words}")
        text = "; ".join(self._evidence(position) for position in held)
        justified = je.DestructiveActionJustified(live.clock.now(), "flatten", f"{len(held)} positions", f"{who} typed {words!r}. {text}")
        live.journal.record(justified, protective=True)
        await self._latch("flattened", who)
        closing: list[str] = []
        not_closed: list[str] = []
        for position in held:
            why_not = await self._begin_close(position, f"{who} typed {words!r}; {self._evidence(position)}")
            if why_not is None:
                closing.append(position.position_id)
            else:
                not_closed.append(f"{position.position_id}: {why_not}")
        self._daemon.protection.ask_for_look()
        return _found({"state": live.monitor.mode.value, "closing": closing, "not_closed": not_closed})

    async def _begin_close(self, position: Position, evidence: str) -> str | None:
        """None when it is being closed (or was already), else why not."""
        if position.state is PositionState.CLOSING:
            return None
        if position.state.needs_human:
            return f"is {position.state.value}: look at the venue, then resume --release {position.position_id} --reason TEXT"
        report = await self._live.gateway.perform(BeginClose(position.position_id, CloseReason.OPERATOR, evidence))
        return None if report.status is SendStatus.DONE else report.detail

    def _evidence(self, position: Position) -> str:
        """What is known of it: our books and the newest venue reading."""
        holding = self._live.desk.holding
        listed = "never read" if holding is None else f"{holding.qty.get(position.symbol, ZERO)}"
        return f"{position.symbol} {position.direction.value}: journal {position.qty}, venue listed {listed}"

    async def _place_stops(self, order: PlaceStopsOrder, who: str) -> Answer:
        """Stops for what our books show uncovered. Each plan is made right before its order, so that no cover is counted late."""
        live, rows = self._live, list[dict[str, Any]]()
        for position in live.positions.held():
            planned = plan_missing_stops(live.positions.state, (position,), self._facts(position.symbol))
            for action in planned:
                row = {
                    "position_id": position.position_id,
                    "symbol": position.symbol,
                    "qty": action.qty,
                    "trigger_price": action.trigger_price,
                    "why": action.why,
                    "outcome": "dry run: nothing was sent",
                }
                if not order.dry_run:
                    self._note("operator_place_stop", f"{who}: {action.why}, trigger {action.trigger_price}", position.position_id)
                    report = await live.gateway.perform(action)
                    row["outcome"] = f"{report.status.value} {report.detail}".strip()
                rows.append(row)
        return _found({"held": len(live.positions.held()), "missing": rows, "dry_run": order.dry_run})

    def _facts(self, symbol: Symbol) -> dict[Symbol, MarketFacts]:
        instrument = self._live.markets.instrument(symbol)
        if instrument is None:
            return {}
        return {symbol: MarketFacts(self._live.quotes.mark(symbol), instrument.tick, instrument.size_step)}

    def _note(self, kind: str, text: str, subject: str = "account") -> None:
        """Into the journal before the act; an act that makes things safer does not wait for a disk that fails."""
        self._live.journal.record(je.DecisionNoted(self._live.clock.now(), kind, subject, text), protective=True)


def _found(facts: Any) -> Answer:
    return Answer(facts=msgspec.to_builtins(facts))


def _with_verdicts(refusal: ResumeRefusal, verdicts: tuple[Verdict, ...]) -> str:
    """The refusal, and which limits stand against it."""
    if refusal is not ResumeRefusal.STILL_VIOLATED:
        return str(refusal.value)
    bad = [f"{v.invariant.value}: {v.actual} of {v.limit} {v.note}".strip() for v in verdicts if v.level is Level.HALT]
    return f"{refusal.value}: {'; '.join(bad)}"
