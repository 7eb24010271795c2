"""LiveTrading: the tick as a table of contents. Protection comes before entries, and a fault in one phase never skips it.

Backtest, paper, torture and live run this very class; only the ports differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from trading_system.data.market_discovery import DiscoveryReport
from trading_system.domain import log_events as ev
from trading_system.domain.errors import ReadFailed
from trading_system.domain.events import DecisionNoted
from trading_system.domain.intents import EntryDecision, EntryIntent
from trading_system.domain.market import Timeframe
from trading_system.domain.modes import Mode
from trading_system.domain.orders import VenueOrderId
from trading_system.domain.positions import OwnOrder
from trading_system.domain.signals import Signal
from trading_system.domain.symbols import Symbol
from trading_system.execution.protection import NakedStage
from trading_system.execution.reconcile import Defer, StrangeOrder
from trading_system.live.account_sync import SyncReport, sync_account
from trading_system.live.auction_runner import Facts, holdings_of, run_auction
from trading_system.live.coin_processor import ScanReport, audit_candles, coverage, judge_markets, load_history, refresh_candles
from trading_system.live.components import Components
from trading_system.live.cycle_report import CycleReport
from trading_system.live.data_story import DataStory
from trading_system.live.dust_watch import DustWatch
from trading_system.live.engine_feed import keep_engines
from trading_system.live.exposure_book import build_exposure
from trading_system.live.health_monitor import HealthFacts, assess
from trading_system.live.kill_switch_ops import enforce_mode
from trading_system.live.narrator import Narrator
from trading_system.live.signal_handler import active_cooldowns, make_candidates
from trading_system.portfolio.auction_allocator import AuctionPlan
from trading_system.portfolio.candidate import Candidate
from trading_system.portfolio.clusters import assign_clusters
from trading_system.safety.invariants import Invariant
from trading_system.safety.modes import Halt
from trading_system.safety.torn import whole

T = TypeVar("T")
_KEEP_S_MAX: Final = 5.0
_KEEP_PAUSE_S: Final = 600.0
"""Process seconds without a further try after a disk that did not answer."""
UNKNOWN_S_MAX: Final = 600.0
"""Process seconds after which a human hears of an order whose fate is still unknown."""


class LiveTrading(Components):
    """Orders the phases and applies their reports; decides nothing about trading itself."""

    def __post_init__(self) -> None:
        self.cycle = 0
        self.is_warm = False
        """True once every engine was fed its history: before that there are no signals."""
        self.barrier: str | None = "not reconciled yet"
        """No entries until a complete look at the account was taken in and left nothing unexplained."""
        self.entry_gates: dict[str, str] = {}
        """Why entries are off besides mode and barrier: short name → text (missing go-live acts, a refused configuration …)."""
        self._tell = Narrator(self.log, self.recorder, self.alerts)
        self._data = DataStory(self.log, self.recorder, self.alerts)
        self._waiting: tuple[Candidate, ...] = ()
        self._clusters: dict[Symbol, Symbol] = {}
        self._clustered_on: datetime | None = None
        self._strangers: frozenset[VenueOrderId] = frozenset()
        """Orders that were a reason to halt already."""
        self._dust = DustWatch()
        self._judged_failures = 0
        """Refusals of the journal's medium that the invariants have seen."""
        self._keep_again_s = float("-inf")
        self.fact_refresh.on_read = self._data.reread
        self._wallet_cycle = 0
        """The cycle that read the wallet last: entries are sized on a reading of their own cycle only."""

    # --- the tick ---------------------------------------------------------------------------------------------------

    async def tick(self) -> CycleReport:
        """One cycle. Never raises: a phase that fails is logged with its traceback, named in the summary, and the next one runs."""
        self.cycle += 1
        self.venue_health.rejects_this_cycle = 0
        report = CycleReport(self.cycle, self.clock.monotonic())
        await self._phase(report, "discover", self._discover)
        await self._phase(report, "quotes", self._read_quotes)
        await self._phase(report, "sync", self._sync)
        await self._phase(report, "protect", self.protect)
        await self._phase(report, "judge", lambda: self._judge(report))
        await self._phase(report, "candles", self._refresh_candles)
        if self.is_warm:
            await self._phase(report, "trade", lambda: self._trade(report))
            await self._phase(report, "keep", self._keep)
        self._summarise(report)
        return report

    async def _phase(self, report: CycleReport, name: str, run: Callable[[], Awaitable[T]]) -> T | None:
        """The one broad catch of the tick."""
        try:
            return await whole(run())
        except ReadFailed as error:
            self.log.warning(ev.PHASE_FAILED, phase=name, why=str(error))
        except Exception as error:
            self.log.error(ev.PHASE_FAILED, phase=name, why=repr(error), exc_info=error)  # noqa: TRY400 - one logger method, the error is given
            self.venue_health.note_error()
            self.note_exception(f"phase {name}", error)
        report.failed_phases.append(name)
        return None

    @property
    def entries_allowed(self) -> bool:
        """Mode NORMAL, engines warm, nothing else in the way."""
        return self.monitor.mode.allows_entries and self.is_warm and self.barrier is None and not self.entry_gates

    # --- phases -----------------------------------------------------------------------------------------------------

    async def _discover(self) -> None:
        if self.discovery.is_due(self.clock.now()):
            await self.discover()

    async def discover(self) -> DiscoveryReport:
        """Ask the venue what it offers, take it over and tell it."""
        report = await self.discovery.discover()
        self._data.discovered(report, self.markets)
        return report

    async def _read_quotes(self) -> None:
        tickers = await self.market_data.tickers()
        self.quotes.update(tickers)
        self.markets.observe_modes(tickers)

    async def _sync(self) -> None:
        self._digest(await sync_account(self, with_snapshot=True))

    async def look(self, *, is_essential: bool = False) -> None:
        """The protection loop's look at the account; a failed read is told and the next poll is the retry."""
        self._digest(await sync_account(self, with_snapshot=False, is_essential=is_essential))

    def _digest(self, report: SyncReport) -> None:
        """Count what failed, tell what was found, fire the kill switch for a position that stays naked."""
        self.venue_health.note_latency(report.reads.finished_s - report.reads.started_s)
        for _ in report.reads.failures:
            self.venue_health.note_error()
        if report.reads.snapshot is not None and self.account_view.snapshot is report.reads.snapshot:
            self._wallet_cycle = self.cycle
        for alarm in report.alarms:
            if alarm.stage is NakedStage.PERSISTENT:
                reason = f"{alarm.symbol}: {alarm.qty} without a stop for {alarm.naked_s:.0f} s"
                self.halt(Halt(Mode.KILL_SWITCH, Invariant.NAKED_POSITION, reason, "invariant", self.clock.now()))
        self._halt_on_strangers(report)
        if report.reads.is_complete and self.barrier is not None:
            # what was seen and is not explained yet is not taken over: entries wait for it
            waiting = sorted({finding.symbol for finding in report.books.findings if isinstance(finding, Defer)})
            self.barrier = f"not taken over yet: {', '.join(waiting)}" if waiting else None
        self._tell.synced(report)

    def _halt_on_strangers(self, report: SyncReport) -> None:
        """An order with one of our names that we did not send: somebody else trades with this program's names. Once per order."""
        found = [one.order for one in report.books.findings if isinstance(one, StrangeOrder)]
        new = [order for order in found if order.venue_order_id not in self._strangers]
        if not new:
            return
        self._strangers |= {order.venue_order_id for order in new}
        names = ", ".join(f"{order.client_order_id} on {order.symbol}" for order in new)
        reason = f"orders with our names that are not in the journal: {names}. Another host trades this account, or the journal is old"
        self.halt(Halt(Mode.HALTED, Invariant.FOREIGN_ORDERS, reason, "reconcile", self.clock.now()))

    async def protect(self) -> None:
        """Plan and act for every position: also called by the protection loop. A halt holds from the first act of a process on."""
        self.desk.take_profits_allowed = not self.monitor.mode.is_halted
        done = await self.desk.work(self)
        for work in done:
            self.fact_refresh.judge(work.position.symbol, work.report)
        self._tell.worked(done)

    async def _judge(self, report: CycleReport) -> None:
        view = self.account_view
        if view.snapshot is not None and view.is_fresh(self.clock.monotonic()):
            events = self.losses.observe(view.snapshot, self.positions_booked_pnl(), self.clock.now())
            self._tell.losses(events, self.losses.standing)
        self._tell.stuck(self._stuck_orders())
        self._note_dust()
        facts, failures = self.health_facts(), self.journal.failures
        self._tell.assessed(assess(self, facts))
        self._judged_failures = failures
        await self.enforce()

    def health_facts(self) -> HealthFacts:
        """What the invariants are measured from, as of now."""
        view = self.account_view
        return HealthFacts(
            account=view.snapshot if view.is_fresh(self.clock.monotonic()) else None,
            items=build_exposure(self.positions, self.markets, self.quotes, self.risk_limits).items,
            losses=self.losses.standing,
            clock_skew_s=self.control.clock_skew_s(),
            is_entry_rate_tripped=self.control.is_entry_rate_tripped(),
            journal_ok=self.journal.failure is None and self.journal.failures == self._judged_failures,
            loop_lag_s=self.loop_watch.worst_s(),
        )

    def _note_dust(self) -> None:
        for position, text in self._dust.take_new(self.positions.held(), self.markets):
            self.journal.record(DecisionNoted(self.clock.now(), "dust", position.position_id, text), durable=False, protective=True)
            self._tell.dust(position, text)

    def _stuck_orders(self) -> tuple[OwnOrder, ...]:
        """Orders of which nobody has known for ten process minutes whether the venue has them."""
        waited = self.clock.market_in(UNKNOWN_S_MAX) - self.clock.now()
        return tuple(order for order in self.positions.unknown() if self.clock.now() - order.intended_at >= waited)

    def halt(self, record: Halt) -> Mode:
        """Latch a halt from outside the invariants (file, operator, a dead task) and tell everybody; the mode now in force."""
        before = self.monitor.mode
        after = self.monitor.halt(record)
        if after is not before:
            self._tell.halted(record, before)
        return after

    def check_kill_file(self) -> bool:
        """Fire the kill switch if its file is there; True when it has just been fired."""
        before, now = self.monitor.mode, self.clock.now()
        if not self.monitor.check_kill_file(now):
            return False
        if self.monitor.state.halt is not None:
            self._tell.halted(self.monitor.state.halt, before)
        return True

    def note_exception(self, where: str, error: BaseException | None) -> None:
        """Something nobody expected went wrong and work goes on: written down and told, so that no dead feature stays unseen."""
        self.journal.record(DecisionNoted(self.clock.now(), "exception", where, repr(error)), durable=False, protective=True)
        self._tell.failed(where, error)

    def note_task_death(self, name: str, error: BaseException | None) -> None:
        """A task that must not die died: nothing is opened any more, protection goes on."""
        self.halt(Halt(Mode.HALTED, Invariant.OPERATOR, f"task {name!r} ended: {error!r}", "supervisor", self.clock.now()))

    async def enforce(self) -> None:
        """Make the mode true at the gate and on the venue."""
        self._tell.cleaned(await enforce_mode(self))

    async def _refresh_candles(self) -> None:
        self.markets.hold(position.symbol for position in self.positions.active())
        if self.is_warm:
            self._data.candles(await refresh_candles(self))
            if self.rules.audits_per_cycle:
                self._data.audited(await audit_candles(self, self.rules.audits_per_cycle))
            self._data.engines(self.engines.take_story(), None)

    async def _trade(self, report: CycleReport) -> None:
        scan = judge_markets(self)
        if self.rules.tells_decisions:
            self._tell.scanned(scan)
        thin = coverage(self, self.rules.coverage)
        if not (self.entries_allowed and thin.is_enough):
            if self.entries_allowed:
                self._data.thin(thin)
            for signal in scan.signals:
                # when entries come on again while its bar is the newest, it is acted on
                self.decisions.ask_again(signal.symbol)
            return
        report.signals = len(scan.signals)
        self._recluster()
        candidates = self._candidates(scan, report)
        if not candidates:
            return
        doubt = self._wallet_doubt()
        facts = self._facts() if doubt is None else None
        if facts is None:
            self._waiting = candidates
            self._tell.waiting(len(candidates), doubt or "the account is not known freshly enough")
            return
        outcome = await run_auction(self, facts, candidates)
        self._waiting = outcome.waiting
        report.entries = sum(submission.report is not None for submission in outcome.submissions)
        for submission in outcome.submissions:
            if submission.report is not None:
                self.fact_refresh.judge(submission.report.symbol, submission.report)
        self._tell.auctioned(outcome)
        if report.entries:
            await self._sync()
            await self.protect()

    async def _keep(self) -> None:
        """For the next start and for people. After everything else, within a deadline: a slow disk costs no entry and no tick."""
        now_s = self.clock.monotonic()
        if now_s < self._keep_again_s:
            return
        try:
            async with asyncio.timeout(_KEEP_S_MAX):
                self._data.engines(None, await keep_engines(self, self.markets.managed()))
                await self._keep_gate_days()
        except TimeoutError:
            # its thread still waits for the disk: with one more every minute soon nothing could be done off the loop
            self._keep_again_s = now_s + _KEEP_PAUSE_S
            self._data.engines(None, f"the disk did not take them within {_KEEP_S_MAX:g} s")

    async def _keep_gate_days(self) -> None:
        days = self.decisions.days
        if self.gate_file is None or not days.is_changed:
            return
        days.is_changed = False
        failure = await asyncio.to_thread(self.gate_file.write, days.encoded())
        if failure is not None:
            days.is_changed = True
            self._data.histogram_not_kept(failure)

    def announce_plan(self, plan: AuctionPlan) -> None:
        """Tell the auction's result before it is acted on."""
        self._tell.planned(plan)

    def announce_decision(self, intent: EntryIntent, decision: EntryDecision) -> None:
        """Tell the risk manager's last word before the order leaves."""
        self._tell.decided(intent, decision)

    def _candidates(self, scan: ScanReport, report: CycleReport) -> tuple[Candidate, ...]:
        signals: tuple[Signal, ...] = scan.signals
        made = make_candidates(self, signals, self._clusters)
        for symbol in made.to_retry:
            self.decisions.ask_again(symbol)
        self._tell.signals(made)
        report.fresh_signals = made.counted
        for error in made.spread_errors:
            self.note_exception("signal spread check", error)
        fresh = {candidate.symbol for candidate in made.candidates}
        lifetime = timedelta(milliseconds=Timeframe.M15.ms)
        still = (c for c in self._waiting if c.symbol not in fresh and self.clock.now() - c.intent.created_at < lifetime)
        return (*made.candidates, *still)

    def _wallet_doubt(self) -> str | None:
        """Why nothing may be sized on what is known of the wallet; None = it may."""
        if self._wallet_cycle != self.cycle:
            return "the wallet could not be read in this cycle"
        standing = self.losses.standing
        if standing is None:
            return "no usable reading of the equity yet"
        if standing.is_step_pending:
            return "the balance moved and what moved it is not booked yet"
        return None

    def _facts(self) -> Facts | None:
        """None when the account is not known freshly enough to size anything."""
        view = self.account_view
        if view.snapshot is None or not view.is_fresh(self.clock.monotonic()):
            return None
        now = self.clock.now()
        return Facts(
            now=now,
            mode=self.monitor.mode,
            account=view.snapshot,
            book=build_exposure(self.positions, self.markets, self.quotes, self.risk_limits),
            losses=self.losses.standing,
            streaks=self.losses.streaks,
            recent_opens=self.recent_opens(now),
            clock_skew_s=self.control.clock_skew_s() or Decimal(0),
            holdings=holdings_of(self.positions.active(), self.markets, self.quotes, self._clusters, self.risk_limits),
        )

    def _recluster(self) -> None:
        """Markets that move together, from 4h returns, once a market day."""
        now = self.clock.now()
        if self._clustered_on is not None and timedelta(0) <= now - self._clustered_on < timedelta(days=1):
            return
        self._clustered_on = now
        symbols = self.markets.eligible()
        limits = self.cluster_limits
        closes = {symbol: self.candles.closes(symbol, Timeframe.H4, limits.returns_max + 1) for symbol in symbols}
        volumes = {s: float(t.volume_quote_24h) for s in symbols if (t := self.quotes.ticker(s)) is not None}
        self._clusters = assign_clusters(closes, volumes, limits)

    def _summarise(self, report: CycleReport) -> None:
        view = self.account_view
        report.positions = len(self.positions.active())
        held = self.positions.held()
        report.portfolio = tuple(f"{p.symbol} {p.direction.value} {p.qty} {p.state.value} stop {p.stop_wanted}" for p in held)
        report.universe = len(self.markets.eligible())
        report.system_state = self.monitor.mode.value
        report.cooldowns_active = active_cooldowns(self.cooldowns, self.markets.eligible(), self.signal_rules, self.clock.now())
        report.naked_s = self.naked_meter.take_worst()
        if view.snapshot is not None:
            report.equity, report.margin_util = view.snapshot.portfolio_value, view.snapshot.venue_utilization
        report.budget_points = self.control.budget_points()
        report.gates = tuple(self.entry_gates)
        starved = self.starvation.note(report.fresh_signals, report.entries, self.clock.now())
        if starved is not None:
            self._tell.starved(starved, self.starvation.rule.window)
        self._tell.cycle(report, self.clock.monotonic())
        if self.monitor.mode is Mode.KILL_SWITCH:
            self.log.warning(ev.KILL_SWITCH_STILL_ACTIVE, reason=self.monitor.state.halt.reason if self.monitor.state.halt else "")

    # --- start --------------------------------------------------------------------------------------------------------

    async def warm_up(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Load every market's history and feed the engines. Protection is at work long before this ends."""
        self.markets.hold(position.symbol for position in self.positions.active())
        self._data.candles(await load_history(self, self.markets.managed(), progress))
        self._data.engines(self.engines.take_story(), None)
        self.is_warm = True

    async def keep_engines(self) -> None:
        """Save all engines, so that the next start goes on from here."""
        self._data.engines(None, await keep_engines(self, self.markets.managed(), share=1))
