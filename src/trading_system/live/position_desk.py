"""Plans and acts for every active position. Event-driven and called by the tick alike; a position is never worked on twice at once.

Stateful on purpose: the short memory between plans (`Watch`) and which positions are being worked on live here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from trading_system.data.market_registry import MarketRegistry
from trading_system.domain.actions import Action, BeginClose, CloseStep, FinishClose, PlaceTakeProfit
from trading_system.domain.market import Instrument, Ticker, TradingStatus
from trading_system.domain.orders import ClientOrderId, PositionId
from trading_system.domain.positions import Position
from trading_system.domain.protocols import Clock
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, Qty
from trading_system.execution.execution_gateway import ActionReport, ExecutionGateway, Spawn
from trading_system.execution.position_manager import plan
from trading_system.execution.position_view import NEW_WATCH, MarketView, PositionParameters, Watch
from trading_system.execution.protection import NakedMeter
from trading_system.execution.registry import PositionRegistry
from trading_system.live.quotes import QuoteBook
from trading_system.live.volatility import VolatilityBook

_WAIT_S: Final = 1.0
"""Process seconds one round of work waits for its slowest position, and a position for the answer to its close."""
_ROUNDS_MAX: Final = 6
"""A plan's outcome may ask for the next plan at once (entry complete → targets → orders); a runaway is cut here."""


class DeskHost(Protocol):
    """What working on positions needs."""

    @property
    def clock(self) -> Clock: ...
    @property
    def positions(self) -> PositionRegistry: ...
    @property
    def gateway(self) -> ExecutionGateway: ...
    @property
    def markets(self) -> MarketRegistry: ...
    @property
    def quotes(self) -> QuoteBook: ...
    @property
    def volatility(self) -> VolatilityBook: ...
    @property
    def naked_meter(self) -> NakedMeter: ...


@dataclass(frozen=True, slots=True)
class VenueHolding:
    """What the newest complete positions reading said, and when it began (process seconds)."""

    qty: Mapping[Symbol, Qty]
    read_s: float
    listed: frozenset[ClientOrderId] | None
    """Client ids of the open orders read beside it, or by the last list that could be read; None = none could be read yet."""
    listed_s: float
    """When that list was read (process seconds)."""
    alive: frozenset[ClientOrderId] = frozenset()
    """Orders that were looked up by name after it, and are there."""


@dataclass(frozen=True, slots=True)
class Work:
    """One performed action."""

    position: Position
    action: Action
    report: ActionReport


class PositionDesk:
    """One per process, owned by the loop."""

    def __init__(self, parameters: PositionParameters, spawn: Spawn) -> None:
        """spawn: starts work that goes on when nobody waits for it any more (the supervisor's `detach`)."""
        self._spawn = spawn
        self.parameters: Final = parameters
        self.holding: VenueHolding | None = None
        self.take_profits_allowed = False
        """As the mode says, told before each work."""
        self._began_at: datetime | None = None
        """When this process first planned anything (market time)."""
        self._watches: dict[PositionId, Watch] = {}
        self._busy: set[PositionId] = set()
        self._finished: list[Work] = []
        """Done since the last call of `work`."""

    async def work(self, host: DeskHost) -> tuple[Work, ...]:
        """Plan every active position and start what the plans say; positions side by side, one position in order.

        Returns what was finished since the last call; an order without an answer is waited for in the background.
        """
        active = host.positions.active()
        if self._began_at is None:
            self._began_at = host.clock.now()
        self._forget_closed(active)
        due: list[tuple[Position, tuple[Action, ...]]] = []
        for position in active:
            if position.position_id not in self._busy:
                actions = self._plan(host, position)
                if actions:
                    due.append((position, actions))
        tasks = []
        for position, actions in due:
            self._busy.add(position.position_id)
            tasks.append(self._spawn(f"work on {position.position_id}", self._perform(host, position, actions)))
        if tasks:
            # an answer that does not come must hold up neither another position nor the next look: the work itself goes on
            await asyncio.wait(tasks, timeout=_WAIT_S)
        finished, self._finished = tuple(self._finished), []
        return finished

    def renew_take_profits(self) -> None:
        """After a resume the levels a halt took away are placed again at once, without their usual wait."""
        self._watches = {key: replace(watch, take_profit_tried=()) for key, watch in self._watches.items()}

    async def _perform(self, host: DeskHost, position: Position, actions: tuple[Action, ...]) -> None:
        """Do what the plan says, plan again on what came of it, until nothing is left to do."""
        position_id = position.position_id
        try:
            for _ in range(_ROUNDS_MAX):
                for action in actions:
                    # a profit target or a close without an answer must not keep the same position's stop waiting
                    if isinstance(action, PlaceTakeProfit):
                        self._spawn(f"{action.purpose.value} of {position_id}", self._act(host, position, action))
                    elif isinstance(action, CloseStep):
                        await asyncio.wait([self._spawn(f"close of {position_id}", self._close(host, position, action))], timeout=_WAIT_S)
                    else:
                        await self._act(host, position, action)
                current = host.positions.get(position_id)
                if current is None or not current.state.is_active:
                    return
                actions = self._plan(host, current)
                if not actions:
                    return
        finally:
            self._busy.discard(position_id)

    async def _close(self, host: DeskHost, position: Position, step: CloseStep) -> None:
        """One step of closing; what comes of it is planned on at once, unless somebody is at it."""
        await self._act(host, position, step)
        current = host.positions.get(position.position_id)
        if current is None or not current.state.is_active or position.position_id in self._busy:
            return
        actions = self._plan(host, current)
        if actions:
            self._busy.add(position.position_id)
            await self._perform(host, current, actions)

    async def _act(self, host: DeskHost, position: Position, action: Action) -> None:
        report = await host.gateway.perform(action)
        self._finished.append(Work(position, action, report))

    def _plan(self, host: DeskHost, position: Position) -> tuple[Action, ...]:
        view = self.view(host, position)
        if view is None:
            return ()
        made = plan(
            host.positions.state,
            position,
            view,
            self._watches.get(position.position_id, NEW_WATCH),
            self.parameters,
            now=host.clock.now(),
            now_s=host.clock.monotonic(),
        )
        self._watches[position.position_id] = made.watch
        return made.actions

    def view(self, host: DeskHost, position: Position) -> MarketView | None:
        """The market as the position sees it; None while the venue's facts about it are unknown (nothing can be rounded then)."""
        symbol = position.symbol
        instrument = host.markets.instrument(symbol)
        if instrument is None:
            return None
        ticker = host.quotes.ticker(symbol)
        atr = host.volatility.atr_4h(symbol)
        holding = self.holding
        return MarketView(
            mark=None if ticker is None else ticker.mark,
            is_fresh=ticker is not None and host.quotes.is_usable(symbol, host.clock.now()),
            is_open=_status(instrument, ticker) is TradingStatus.OPEN,
            quote_at=None if ticker is None else ticker.at,
            tick=instrument.tick,
            size_step=instrument.size_step,
            size_min=instrument.size_min,
            atr_4h=None if atr is None else Decimal(repr(atr)),
            venue_qty=None if holding is None else holding.qty.get(symbol, Qty(ZERO)),
            venue_read_s=-1.0 if holding is None else holding.read_s,
            bid=None if ticker is None else ticker.bid,
            ask=None if ticker is None else ticker.ask,
            listed=None if holding is None else holding.listed,
            listed_s=-1.0 if holding is None else holding.listed_s,
            alive=frozenset() if holding is None else holding.alive,
            venue_naked_s=None if holding is None else host.naked_meter.naked_s(symbol, holding.read_s),
            closes_4h=self._closes_4h(host, position),
            process_began_at=self._began_at,
            allow_take_profits=self.take_profits_allowed,
        )

    def _closes_4h(self, host: DeskHost, position: Position) -> tuple[tuple[int, float], ...]:
        """Asked for only where they decide something: this is built at every look."""
        plan = position.plan
        if not self.parameters.premise_exit or plan.premise_price is None or plan.signal_at_ms is None:
            return ()
        return host.volatility.closes_4h_since(position.symbol, plan.signal_at_ms)

    def _forget_closed(self, active: tuple[Position, ...]) -> None:
        if len(self._watches) > len(active):
            alive = {position.position_id for position in active}
            self._watches = {key: watch for key, watch in self._watches.items() if key in alive}


def _status(instrument: Instrument, ticker: Ticker | None) -> TradingStatus:
    return instrument.status if ticker is None else ticker.status


def is_milestone(action: Action) -> bool:
    """Actions a person wants to read about at INFO even in a quiet log."""
    return isinstance(action, (BeginClose, FinishClose))
