"""Runs one auction and acts on its plan: closes first, then opens; an open that replaces a position waits for that close."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from trading_system.data.market_registry import MarketRegistry
from trading_system.domain.account import AccountSnapshot
from trading_system.domain.actions import BeginClose
from trading_system.domain.errors import ReadFailed
from trading_system.domain.exposure import planned_margin
from trading_system.domain.intents import Approved, EntryDecision, EntryIntent, RefusalReason, Refused
from trading_system.domain.market import OrderBook
from trading_system.domain.modes import Mode
from trading_system.domain.positions import CloseReason, Position, PositionState
from trading_system.domain.protocols import Clock, MarketData
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ONE, ZERO, decimal_of
from trading_system.execution.execution_gateway import EntryReport, ExecutionGateway
from trading_system.live.exposure_book import mark_of
from trading_system.live.quotes import QuoteBook
from trading_system.portfolio.auction_allocator import AuctionPlan, Winner, allocate
from trading_system.portfolio.candidate import AuctionLimits, Candidate, Holding
from trading_system.risk.limits import RiskLimits
from trading_system.risk.loss_state import LossStanding
from trading_system.risk.risk_manager import decide_entry, dry_judge
from trading_system.risk.situation import ExposureBook, MarketView, Situation
from trading_system.risk.streaks import StreakState
from trading_system.safety.invariant_monitor import InvariantMonitor


@dataclass(frozen=True, slots=True)
class Facts:
    """What every decision of one cycle is made of; taken once, so that all of them see the same world."""

    now: datetime
    mode: Mode
    account: AccountSnapshot
    book: ExposureBook
    losses: LossStanding | None
    streaks: StreakState
    recent_opens: tuple[datetime, ...]
    clock_skew_s: Decimal
    holdings: tuple[Holding, ...]


class AuctionHost(Protocol):
    """What the auction needs."""

    @property
    def clock(self) -> Clock: ...
    @property
    def markets(self) -> MarketRegistry: ...
    @property
    def quotes(self) -> QuoteBook: ...
    @property
    def market_data(self) -> MarketData: ...
    @property
    def gateway(self) -> ExecutionGateway: ...
    @property
    def monitor(self) -> InvariantMonitor: ...
    @property
    def risk_limits(self) -> RiskLimits: ...
    @property
    def auction_limits(self) -> AuctionLimits: ...

    def announce_plan(self, plan: AuctionPlan) -> None:
        """Told before anything is sent, so that the log reads in the order in which things were decided."""
        ...

    def announce_decision(self, intent: EntryIntent, decision: EntryDecision) -> None:
        """The risk manager's last word, told before the order leaves."""
        ...


@dataclass(frozen=True, slots=True)
class Submission:
    """One winner's end: refused at the last look, or sent."""

    winner: Winner
    decision: EntryDecision
    report: EntryReport | None


@dataclass(frozen=True, slots=True)
class AuctionReport:
    plan: AuctionPlan
    submissions: tuple[Submission, ...]
    waiting: tuple[Candidate, ...]
    """Winners whose place is still being vacated: contenders again next cycle."""


def situation_of(host: AuctionHost, facts: Facts, symbol: Symbol, book: OrderBook | None = None) -> Situation | None:
    """The facts about one market as the risk manager wants them; None when the market or its quote is not known."""
    instrument, ticker = host.markets.instrument(symbol), host.quotes.ticker(symbol)
    if instrument is None or ticker is None:
        return None
    market = MarketView(
        instrument=replace(instrument, status=ticker.status),
        tier=host.markets.tier(symbol),
        ticker=ticker,
        book=book,
        is_quote_accepted=host.quotes.is_usable(symbol, facts.now),
    )
    return Situation(
        now=facts.now,
        mode=facts.mode,
        market=market,
        book=facts.book,
        account=facts.account,
        losses=facts.losses,
        streaks=facts.streaks,
        recent_opens=facts.recent_opens,
        clock_skew_s=facts.clock_skew_s,
    )


async def run_auction(host: AuctionHost, facts: Facts, candidates: Sequence[Candidate]) -> AuctionReport:
    """Allocate, close what makes room, open the rest one after the other, each judged again on the newest facts."""
    plan = allocate(
        candidates,
        facts.holdings,
        facts.book.items,
        equity=facts.account.equity_for_sizing,
        judge=dry_judge(lambda symbol: situation_of(host, facts, symbol), host.risk_limits),
        limits=host.auction_limits,
        now=facts.now,
    )
    host.announce_plan(plan)
    for close in plan.closes:
        evidence = f"auction: {close.rival.symbol} is better by {close.advantage} points"
        await host.gateway.perform(BeginClose(close.holding.position_id, CloseReason.AUCTION, evidence))
    submissions: list[Submission] = []
    book, opens = facts.book, facts.recent_opens
    for winner in plan.winners:
        if winner.replaces is not None:
            continue
        decision = await _last_look(host, replace(facts, book=book, recent_opens=opens), winner.candidate.intent)
        host.announce_decision(winner.candidate.intent, decision)
        report: EntryReport | None = None
        if isinstance(decision, Approved):
            report = await host.gateway.open_entry(decision)
            book = book.with_item(decision.exposure)
            opens = (*opens, facts.now)
        submissions.append(Submission(winner, decision, report))
    waiting = tuple(winner.candidate for winner in plan.winners if winner.replaces is not None)
    return AuctionReport(plan, tuple(submissions), waiting)


async def _last_look(host: AuctionHost, facts: Facts, intent: EntryIntent) -> EntryDecision:
    """Read the order book of the market, then ask the risk manager for good. No book: refused (fails closed).

    Entries go one after the other, and each may take the venue seconds: mode and the age of the quote are those of this moment.
    """
    try:
        book: OrderBook | None = await host.market_data.order_book(intent.symbol)
    except ReadFailed:
        book = None
    facts = replace(facts, now=host.clock.now(), mode=host.monitor.mode)
    situation = situation_of(host, facts, intent.symbol, book)
    if situation is None:
        return Refused(RefusalReason.QUOTE_UNUSABLE, ONE, ZERO, note=f"no facts about {intent.symbol}")
    return decide_entry(intent, situation, host.risk_limits)


def holdings_of(
    positions: Iterable[Position], markets: MarketRegistry, quotes: QuoteBook, clusters: dict[Symbol, Symbol], limits: RiskLimits
) -> tuple[Holding, ...]:
    """Open positions as contenders; entries without a fill do not contend (they count in the caps)."""
    holdings: list[Holding] = []
    for position in positions:
        if position.qty <= 0:
            continue
        instrument = markets.instrument(position.symbol)
        mark = mark_of(position, quotes)
        margin = position.plan.planned_margin
        if instrument is not None:
            margin = planned_margin(position.qty * mark, instrument.margin_levels, limits.leverage_for(markets.tier(position.symbol)))
        holdings.append(
            Holding(
                position_id=position.position_id,
                symbol=position.symbol,
                direction=position.direction,
                cluster=clusters.get(position.symbol, position.plan.setup),
                entry_score=decimal_of(position.plan.score or 0.0),
                open_r=position.open_r(mark) or ZERO,
                opened_at=position.tally.first_fill_at or position.plan.planned_at,
                planned_margin=margin,
                is_protected=position.state in (PositionState.PROTECTED, PositionState.PARTIAL),
                is_closing=position.state is PositionState.CLOSING,
                is_adopted=not position.is_own or not position.state.is_managed,
            )
        )
    return tuple(holdings)
