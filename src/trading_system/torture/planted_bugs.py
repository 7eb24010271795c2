"""Known ways to lose money, put back into our own code for the length of a `with`: what the checkers do not catch, they cannot see.

Each bug is a patch of one function or attribute of the package, the rules that must catch it, and the faults that bring it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from trading_system.config.settings import Settings
from trading_system.domain.account import VenuePosition
from trading_system.domain.actions import CancelOrder, MoveStop
from trading_system.domain.events import EntryCompleted, JournalEvent, OrderIntended, OrderPlaced, StopWanted
from trading_system.domain.modes import Mode
from trading_system.domain.orders import (
    ClientOrderId,
    EntryOrder,
    EntryStyle,
    ExitOrder,
    OrderPurpose,
    OrderRequest,
    OutcomeUnknown,
    Placed,
    Rejected,
    SubmitOutcome,
    TakeProfitOrder,
    VenueOrderId,
)
from trading_system.domain.positions import OwnOrder, Position
from trading_system.domain.units import ZERO, Price
from trading_system.execution import execution_gateway, order_sender, position_manager, reconcile, resolution, stop_plan
from trading_system.execution.account_books import AccountBooks
from trading_system.execution.execution_gateway import ActionReport, ExecutionGateway
from trading_system.execution.journal import Journal
from trading_system.execution.ledger_rules import changes_of
from trading_system.execution.order_sender import OrderSender
from trading_system.execution.position_view import MarketView, PositionParameters
from trading_system.live import account_sync, kill_switch_ops, live_trading, private_reads
from trading_system.live.cycle_report import CycleReport
from trading_system.live.live_trading import LiveTrading
from trading_system.live.narrator import Narrator
from trading_system.live.private_reads import PrivateReads
from trading_system.live.protection_loop import ProtectionLoop
from trading_system.portfolio.candidate import AuctionLimits
from trading_system.risk.limits import RiskLimits
from trading_system.risk.loss_state import Period
from trading_system.safety import modes
from trading_system.safety.invariant_monitor import InvariantMonitor
from trading_system.safety.modes import ModeState
from trading_system.sim.fault_plan import plan_of
from trading_system.torture.case import Case
from trading_system.torture.mortal import Death, DeathKind
from trading_system.wiring import parameters
from trading_system.wiring.daemon import Daemon

_QUIET_S: Final = 420.0
"""Enough for the books of a planted run to be compared."""


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """rules: any of them counts as caught. rates: fault classes by word. kills, deaths: shares of the run at which they strike."""

    name: str
    was: str
    rules: frozenset[str]
    plant: Callable[[], ExitStack]
    rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    kills: tuple[float, ...] = ()
    deaths: tuple[float, ...] = ()
    stops: tuple[float, ...] = ()
    """Shares of the run at which the process is asked to stop."""
    spoils: bool = False
    """The files of halts are spoilt while it is down."""
    positions_max: int = 8

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The package with this bug in it."""
        with self.plant():
            yield

    def case(self, seed: int, hours: float = 0.5) -> Case:
        """A run in which the bug has its chance."""
        whole = hours * 3600
        ends = [Death(DeathKind.NOW, share * whole, 20.0, spoils=self.spoils) for share in self.deaths]
        ends += [Death(DeathKind.ASKED, share * whole, 20.0, spoils=self.spoils) for share in self.stops]
        deaths = tuple(sorted(ends, key=lambda end: end.at_s))
        kills = tuple(share * whole for share in self.kills)
        return Case(seed, hours, plan_of(seed, whole, **self.rates), deaths, kills, _QUIET_S, self.positions_max)


def _swap(owner: object, name: str, value: object) -> ExitStack:
    """Set an attribute until the stack closes."""
    stack = ExitStack()
    before = owner.__dict__[name]
    stack.callback(setattr, owner, name, before)
    setattr(owner, name, value)
    return stack


# --- orders -----------------------------------------------------------------------------------------------------------


def _drop_reduce_only() -> ExitStack:
    honest = order_sender.request_of

    def request_of(order: OwnOrder) -> OrderRequest:
        request = honest(order)
        if isinstance(request, TakeProfitOrder | ExitOrder) and request.limit_price is not None:
            deadline = datetime.max.replace(tzinfo=order.intended_at.tzinfo, year=2100)
            style = EntryStyle.LIMIT if isinstance(request, TakeProfitOrder) else EntryStyle.IOC
            return EntryOrder(request.client_order_id, request.symbol, request.side, request.qty, style, request.limit_price, deadline)
        return request

    return _swap(order_sender, "request_of", request_of)


def _send_again_after_timeout() -> ExitStack:
    honest = OrderSender.submit

    async def submit(self: OrderSender, order: OwnOrder) -> SubmitOutcome:
        outcome = await honest(self, order)
        if isinstance(outcome, OutcomeUnknown):
            request = order_sender.request_of(order)
            if isinstance(request, EntryOrder):
                request = replace(request, process_before=self._clock.market_in(order_sender.PROCESS_WITHIN_S))
            return await self._orders.submit(request)
        return outcome

    return _swap(OrderSender, "submit", submit)


def _intent_is_written_later() -> ExitStack:
    honest = Journal.record

    def record(self: Journal, event: JournalEvent, *, durable: bool = True, protective: bool = False) -> bool:
        return honest(self, event, durable=durable and not isinstance(event, OrderIntended), protective=protective)

    return _swap(Journal, "record", record)


def _cancel_before_place() -> ExitStack:
    async def move_stop(self: ExecutionGateway, action: MoveStop, position: Position) -> ActionReport:
        order = self._journal.state.orders[action.client_order_id]
        await self._cancel_known(order, "making room for the new one", "the stop is to be moved")
        return await self._place_stop(action, self._journal.state.positions[position.position_id])

    return _swap(ExecutionGateway, "_move_stop", move_stop)


def _cancel_the_newest_stop() -> ExitStack:
    """Two stops rest, the wrong one is believed to be superfluous, and nobody counts what is left."""

    async def cancel(self: ExecutionGateway, action: CancelOrder) -> ActionReport:
        order = self._journal.state.orders[action.client_order_id]
        outcome = await self._cancel_known(order, action.why, action.evidence)
        return ActionReport(action, execution_gateway.SendStatus.DONE, outcome.value)

    stack = _swap(ExecutionGateway, "_cancel", cancel)
    stack.enter_context(_take_stops_for_superfluous())
    return stack


def _take_stops_for_superfluous() -> ExitStack:
    honest = stop_plan._keep

    def keep(position: Position, cover: stop_plan.Cover, *rest: Any) -> tuple[Any, ...]:
        if cover.own and position.progress.break_even_active:
            return (CancelOrder(position.position_id, cover.own[-1].client_order_id, "one stop is enough", "at break-even"),)
        return honest(position, cover, *rest)

    return _swap(stop_plan, "_keep", keep)


# --- protection -------------------------------------------------------------------------------------------------------


def _no_stop_after_a_refusal() -> ExitStack:
    return _swap(stop_plan, "_is_waiting", lambda orders, watch, retry_s, now_s: watch.stop_tried_s is not None)


def _never_give_up() -> ExitStack:
    return _swap(stop_plan, "_give_up", lambda position, view, watch, params, now_s: None)


def _remember_instead_of_look() -> ExitStack:
    """A stop that was acknowledged once is believed to rest for ever."""
    honest = resolution._Judge.not_listed

    def not_listed(self: Any, order: OwnOrder, status: Any) -> list[JournalEvent]:
        return [] if order.purpose is OrderPurpose.STOP else honest(self, order, status)

    stack = _swap(resolution._Judge, "not_listed", not_listed)
    stack.enter_context(_swap(stop_plan, "_plan_backup", lambda *facts: None))
    return stack


def _stop_frozen_at_first_size() -> ExitStack:
    honest = stop_plan.plan_stop

    def plan_stop(position: Position, orders: Mapping[ClientOrderId, OwnOrder], view: Any, watch: Any, *rest: Any) -> Any:
        if any(order.protects > 0 for order in orders.values()):
            return (), replace(watch, naked_since_s=None)
        return honest(position, orders, view, watch, *rest)

    return _swap(position_manager, "plan_stop", plan_stop)


def _trust_the_feed() -> ExitStack:
    honest = ProtectionLoop.__init__

    def init(self: ProtectionLoop, poll_s: float) -> None:
        honest(self, 1e9)

    return _swap(ProtectionLoop, "__init__", init)


def _stop_falls_back() -> ExitStack:
    honest = stop_plan._trigger
    seen: set[str] = set()

    def trigger(position: Position, view: MarketView, params: PositionParameters) -> Price | None:
        wanted = honest(position, view, params)
        if wanted is None or position.position_id not in seen:
            seen.add(position.position_id)
            return wanted
        return Price(wanted - 5 * view.tick * position.direction.sign)

    return _swap(stop_plan, "_trigger", trigger)


def _refused_is_taken_for_placed() -> ExitStack:
    honest = OrderSender.submit

    async def submit(self: OrderSender, order: OwnOrder) -> SubmitOutcome:
        if order.purpose is not OrderPurpose.STOP:
            return await honest(self, order)
        outcome = await self._orders.submit(order_sender.request_of(order))
        if isinstance(outcome, Rejected):
            outcome = Placed(VenueOrderId(f"unread-{order.client_order_id}"))
        if isinstance(outcome, Placed):
            self.note(OrderPlaced(self._clock.now(), order.client_order_id, outcome.venue_order_id))
        return outcome

    stack = _swap(OrderSender, "submit", submit)
    stack.enter_context(_remember_instead_of_look())
    return stack


# --- books and evidence -----------------------------------------------------------------------------------------------


def _read_error_is_empty() -> ExitStack:
    honest = private_reads.read_private

    async def read_private(*given: Any, **more: Any) -> PrivateReads:
        reads = await honest(*given, **more)
        return replace(reads, positions=reads.positions or (), open_orders=reads.open_orders or (), fills=reads.fills or (), failures=())

    return _swap(account_sync, "read_private", read_private)


def _any_difference_is_the_other_side() -> ExitStack:
    honest = reconcile._Comparison.both

    def both(self: Any, position: Position, venue: VenuePosition) -> list[reconcile.Finding]:
        if position.state.is_active and not position.state.awaits_entry and venue.qty != position.qty:
            return [reconcile.Quarantine(position.position_id, f"venue lists {venue.qty}")]
        return honest(self, position, venue)

    return _swap(reconcile._Comparison, "both", both)


def _fills_page_cut_short() -> ExitStack:
    honest = AccountBooks.book_fills

    def book_fills(self: AccountBooks, fills: Any) -> Any:
        return honest(self, tuple(fills)[-1:])

    return _swap(AccountBooks, "book_fills", book_fills)


def _close_what_the_books_do_not_know() -> ExitStack:
    """A stale registry at start: real positions are "orphans", and flattened."""
    honest = AccountBooks.absorb

    async def absorb(self: AccountBooks, reads: Any, facts: Any, *rest: Any) -> Any:
        orders: Any = self._account
        for venue in reads.positions or ():
            if venue.symbol not in self._journal.state.active_by_symbol:
                key = ClientOrderId(f"ts-{venue.symbol.partition('/')[0]}-A20260101000000-cl-1")
                await orders.submit(ExitOrder(key, venue.symbol, venue.direction.exit_side, venue.qty, None))
        return await honest(self, reads, facts, *rest)

    return _swap(AccountBooks, "absorb", absorb)


def _state_beside_the_journal() -> ExitStack:
    honest = Journal.record

    def record(self: Journal, event: JournalEvent, *, durable: bool = True, protective: bool = False) -> bool:
        if isinstance(event, EntryCompleted | StopWanted):
            changes = changes_of(self.state, event)
            if changes is not None:
                self.state.commit(changes)
            return changes is not None
        return honest(self, event, durable=durable, protective=protective)

    return _swap(Journal, "record", record)


# --- modes ------------------------------------------------------------------------------------------------------------


def _kill_switch_cancels_everything() -> ExitStack:
    honest = kill_switch_ops.enforce_mode

    async def enforce_mode(host: Any) -> kill_switch_ops.CleanupReport:
        if not host.monitor.mode.is_halted:
            return await honest(host)
        for order in host.positions.all_open_orders():
            if not order.is_foreign:
                await host.gateway._cancel_known(order, "kill switch", f"mode {host.monitor.mode.value}")
        return kill_switch_ops.CleanupReport()

    return _swap(live_trading, "enforce_mode", enforce_mode)


def _a_halt_that_the_desk_does_not_know() -> ExitStack:
    async def protect(self: LiveTrading) -> None:
        self.desk.take_profits_allowed = True
        self._tell.worked(await self.desk.work(self))

    return _swap(LiveTrading, "protect", protect)


def _halt_is_forgotten_at_a_restart() -> ExitStack:
    def load(self: InvariantMonitor, now: datetime) -> Mode:
        return self.mode

    return _swap(InvariantMonitor, "load", load)


def _halt_clears_by_itself() -> ExitStack:
    honest = InvariantMonitor.assess

    def assess(self: InvariantMonitor, values: Any, now: datetime) -> Any:
        if self.mode.is_halted:
            self._state = ModeState()
        return honest(self, values, now)

    return _swap(InvariantMonitor, "assess", assess)


def _spoilt_means_normal() -> ExitStack:
    honest = InvariantMonitor._read_mode_state

    def read(self: InvariantMonitor) -> tuple[ModeState, str | None]:
        return honest(self)[0], None

    return _swap(InvariantMonitor, "_read_mode_state", read)


def _degraded_for_ever() -> ExitStack:
    return _swap(modes, "_all_clear", lambda causes, now, rules: not tuple(causes))


# --- limits, progress and the end -------------------------------------------------------------------------------------


def _cap_of_positions_that_nothing_reads() -> ExitStack:
    honest_risk, honest_auction = parameters.risk_limits, parameters.auction_limits

    def risk_limits(settings: Settings) -> RiskLimits:
        limits = honest_risk(settings)
        return replace(limits, caps=replace(limits.caps, positions_max=99))

    def auction_limits(settings: Settings) -> AuctionLimits:
        return replace(honest_auction(settings), positions_max=99, cluster_max=99)

    stack = _swap(parameters, "risk_limits", risk_limits)
    stack.enter_context(_swap(parameters, "auction_limits", auction_limits))
    return stack


def _losses_that_nothing_feeds() -> ExitStack:
    stack = _swap(Period, "loss_ratio", lambda self, equity: ZERO)
    stack.enter_context(_swap(Period, "pnl", lambda self, equity: ZERO))
    return stack


def _stop_at_once() -> ExitStack:
    """SIGTERM ends the process where it is: no outcome is waited for, no stop is placed."""

    async def shut_down(self: Daemon) -> None:
        await self.supervisor.stop()
        self.live.journal.close()

    return _swap(Daemon, "_shut_down", shut_down)


def _unknown_for_ever() -> ExitStack:
    """An order whose fate is open stays so, and nobody is told."""
    honest = resolution._Judge.not_listed

    def not_listed(self: Any, order: OwnOrder, status: Any) -> list[JournalEvent]:
        return [] if order.is_uncertain else honest(self, order, status)

    stack = _swap(resolution._Judge, "not_listed", not_listed)
    stack.enter_context(_swap(Narrator, "stuck", lambda self, orders: None))
    return stack


def _a_tick_that_hangs() -> ExitStack:
    honest = LiveTrading.tick

    async def tick(self: LiveTrading) -> CycleReport:
        if self.cycle == 10:
            await self.clock.sleep(400.0)
        return await honest(self)

    return _swap(LiveTrading, "tick", tick)


def _bug(
    name: str,
    was: str,
    rules: str,
    plant: Callable[[], ExitStack],
    *,
    kills: tuple[float, ...] = (),
    deaths: tuple[float, ...] = (),
    stops: tuple[float, ...] = (),
    spoils: bool = False,
    positions_max: int = 8,
    **rates: float,
) -> PlantedBug:
    return PlantedBug(name, was, frozenset(rules.split()), plant, MappingProxyType(rates), kills, deaths, stops, spoils, positions_max)


BUGS: Final[tuple[PlantedBug, ...]] = (
    _bug("drop_reduce_only", "an exit that is not reduce-only turns the position", "P15", _drop_reduce_only),
    _bug("send_again_after_timeout", "ordering again on a read timeout", "P2", _send_again_after_timeout, answer_lost=0.5),
    _bug("intent_is_written_later", "the order left before its intent was durable", "P2", _intent_is_written_later),
    _bug("cancel_before_place", "the old stop is cancelled before the new one rests", "P4 P5", _cancel_before_place, human_order=10.0),
    _bug("cancel_the_newest_stop", "a stop taken for superfluous leaves the position naked", "P4 P5", _cancel_the_newest_stop),
    _bug("no_stop_after_a_refusal", "a refused stop is never tried again", "P1", _no_stop_after_a_refusal, stop_rejected=0.6),
    _bug("never_give_up", "no close although no stop could be placed", "P1", _never_give_up, stops_refused=60.0, stop_vanishes=60.0),
    _bug("remember_instead_of_look", "a dropped stop that nobody looked for", "P1 L1", _remember_instead_of_look, stop_vanishes=20.0),
    _bug("stop_frozen_at_first_size", "the stop keeps the size of the first fill", "P1 L1", _stop_frozen_at_first_size, human_order=20.0),
    _bug("trust_the_feed", "a mute feed is believed", "P1 L1", _trust_the_feed, feed_gap=1.0, stop_vanishes=20.0),
    _bug("stop_falls_back", "a lost stop comes back further away", "S1", _stop_falls_back, stop_vanishes=60.0),
    _bug("refused_is_taken_for_placed", "a refusal parsed as placed", "P1 L1", _refused_is_taken_for_placed, stop_rejected=0.6),
    _bug("read_error_is_empty", "could not read became flat", "P7", _read_error_is_empty, reads_fail=80.0),
    _bug("difference_is_a_turn", "a size that differs read as the other side", "P7", _any_difference_is_the_other_side, reads_stale=100.0),
    _bug("fills_page_cut_short", "only the newest fill of a page is booked", "P3", _fills_page_cut_short, feed_gap=1.0),
    _bug("close_what_is_unknown", "positions flattened by a stale registry", "P7", _close_what_the_books_do_not_know, human_order=20.0),
    _bug("state_beside_the_journal", "state that a restart does not know", "P8", _state_beside_the_journal),
    _bug("kill_switch_cancels_stops", "the kill switch takes the seat belt off", "P4 P5", _kill_switch_cancels_everything, kills=(0.6,)),
    _bug("halt_the_desk_ignores", "take-profits placed while halted", "P19", _a_halt_that_the_desk_does_not_know, kills=(0.6,)),
    _bug("halt_forgotten_at_restart", "a restart clears the halt", "P19", _halt_is_forgotten_at_a_restart, kills=(0.3,), deaths=(0.4,)),
    _bug("halt_clears_by_itself", "a halt that ends when values look fine", "P19", _halt_clears_by_itself, kills=(0.5,)),
    _bug("spoilt_means_normal", "an unreadable halt state read as none", "P19", _spoilt_means_normal, deaths=(0.4,), spoils=True),
    _bug("degraded_for_ever", "degraded although its cause is over", "L4", _degraded_for_ever, reads_fail=60.0, outage=6.0),
    _bug("cap_that_nothing_reads", "a cap that existed only on paper", "P6", _cap_of_positions_that_nothing_reads, positions_max=2),
    _bug("losses_that_nothing_feeds", "limits on loss that nothing ever fed", "P11", _losses_that_nothing_feeds, funding_debit=10.0),
    _bug("stop_at_once", "SIGTERM ends it in the middle of an order", "P9", _stop_at_once, stops=(0.5025,), answer_lost=0.7),
    _bug("unknown_for_ever", "an order of unknown fate that nobody hears of", "L5", _unknown_for_ever, request_lost=0.6),
    _bug("tick_hangs", "the loop stands still and nobody sees it", "L3", _a_tick_that_hangs),
)
