"""Journal, gateway, books and plans wired to the fake venue: one `step` is one poll of the protection loop."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from execution_builders import BTC, a_view
from fakes.execution_venue import FakeVenue, ManualClock, spawn
from trading_system.domain.actions import Action
from trading_system.domain.events import SessionStarted
from trading_system.domain.orders import PositionId
from trading_system.domain.positions import Position, PositionState
from trading_system.domain.protocols import JournalMedium
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty
from trading_system.execution.account_books import AccountBooks, BooksReport
from trading_system.execution.execution_gateway import ActionReport, ExecutionGateway
from trading_system.execution.journal import Journal
from trading_system.execution.journal_memory import DiskModel
from trading_system.execution.position_manager import plan
from trading_system.execution.position_view import NEW_WATCH, MarketView, PositionParameters, Watch
from trading_system.execution.reconcile import MarketFacts, ReconcileRules
from trading_system.execution.registry import PositionRegistry


class Rig:
    """One process over a venue and a medium. `restart` is the next process over the same two."""

    def __init__(self, venue: FakeVenue, medium: JournalMedium | None = None, params: PositionParameters | None = None) -> None:
        self.venue = venue
        self.clock: ManualClock = venue.clock
        self.medium: JournalMedium = DiskModel() if medium is None else medium
        self.journal = Journal(self.medium)
        self.params = PositionParameters() if params is None else params
        self.journal.begin_session(SessionStarted(self.clock.now(), "paper", "sim", "test", "0", "hash", 0))
        self.gateway = ExecutionGateway(venue, self.journal, self.clock, spawn)
        self.books = AccountBooks(self.journal, venue, self.clock, ReconcileRules())
        self.registry = PositionRegistry(self.journal.state)
        self.watches: dict[PositionId, Watch] = {}
        self.view: dict[str, Any] = {}
        self.reports: list[ActionReport] = []
        self.books.begin()

    def restart(self, medium: JournalMedium | None = None) -> Rig:
        return Rig(self.venue, self.medium if medium is None else medium, self.params)

    def market_view(self, symbol: Symbol, read_s: float) -> MarketView:
        venue_qty = Qty(abs(self.venue.net.get(symbol, Decimal(0))))
        fresh = a_view(str(self.venue.mark), quote_at=self.clock.now(), venue_qty=venue_qty, venue_read_s=read_s)
        return replace(fresh, **self.view)

    async def look(self) -> BooksReport:
        """Read and book."""
        facts = {BTC: MarketFacts(Price(self.venue.mark), Decimal("0.5"), Decimal(1))}
        report = await self.books.absorb(await self.venue.look(), facts)
        for action in report.actions:
            self.reports.append(await self.gateway.perform(action))
        return report

    async def manage(self) -> list[Action]:
        """Plan and act until nothing is left to do now."""
        done: list[Action] = []
        for _ in range(6):
            actions: list[Action] = []
            for position in self.registry.active():
                made = plan(
                    self.journal.state,
                    position,
                    self.market_view(position.symbol, self.clock.monotonic()),
                    self.watches.get(position.position_id, NEW_WATCH),
                    self.params,
                    now=self.clock.now(),
                    now_s=self.clock.monotonic(),
                )
                self.watches[position.position_id] = made.watch
                actions += made.actions
            if not actions:
                break
            for action in actions:
                self.reports.append(await self.gateway.perform(action))
            done += actions
        return done

    async def step(self, seconds: float = 3.0) -> BooksReport:
        self.clock.advance(seconds)
        report = await self.look()
        await self.manage()
        return report

    async def steps(self, count: int, seconds: float = 3.0) -> None:
        for _ in range(count):
            await self.step(seconds)

    @property
    def position(self) -> Position:
        """The newest position of the rig's one market."""
        return list(self.journal.state.positions.values())[-1]

    @property
    def state(self) -> PositionState:
        return self.position.state
