"""The auction: which candidates deserve margin, and which open position, if any, makes room for a better rival.

Pure and independent of the order of its inputs. The traps it avoids: a position closed although nobody takes its place
(nothing is closed unless a named winner needs exactly that close), and a plan that the risk manager would refuse later
(every winner was judged against the book plus the winners before it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final, Protocol

from trading_system.domain.exposure import ExposureItem, total_planned_margin
from trading_system.domain.intents import Approved, EntryDecision, EntryIntent, RefusalReason, Refused
from trading_system.domain.orders import Direction
from trading_system.domain.symbols import Symbol
from trading_system.portfolio.candidate import AuctionLimits, Candidate, Holding


class Judge(Protocol):
    """The risk manager, asked dry: would this intent pass against these items, after so many opens in this cycle?"""

    def __call__(self, intent: EntryIntent, items: tuple[ExposureItem, ...], opens_before: int, /) -> EntryDecision: ...


class LossReason(Enum):
    """Why a candidate did not win."""

    RISK_REFUSED = "RISK_REFUSED"
    SYMBOL_TAKEN = "SYMBOL_TAKEN"
    POSITIONS_MAX = "POSITIONS_MAX"
    CLUSTER_MAX = "CLUSTER_MAX"
    MARGIN = "MARGIN"
    OPENS_PER_CYCLE = "OPENS_PER_CYCLE"
    TRADES_PER_CYCLE = "TRADES_PER_CYCLE"


RELIEVED_BY_A_CLOSE: Final = frozenset(
    {
        RefusalReason.MARGIN_UTILIZATION,
        RefusalReason.POSITIONS_MAX,
        RefusalReason.OPEN_RISK,
        RefusalReason.EXPOSURE_CAP,
        RefusalReason.NOTIONAL_BELOW_MINIMUM,
        RefusalReason.STRESS,
    }
)
"""Refusals for want of room. Any other refusal is about the candidate itself: closing something would not help it."""


@dataclass(frozen=True, slots=True)
class Winner:
    """Open this. `replaces`: the position whose confirmed close must come first, or None."""

    candidate: Candidate
    value: Decimal
    decision: Approved
    replaces: Holding | None = None


@dataclass(frozen=True, slots=True)
class Loser:
    """Did not win. `refused` is the risk manager's answer where there is one; `best_advantage` over the weakest position that
    could have made room (None = there was none to compare with)."""

    candidate: Candidate
    value: Decimal
    reason: LossReason
    refused: Refused | None = None
    best_advantage: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """Close this holding because `rival` won its place by `advantage` points."""

    holding: Holding
    rival: Candidate
    advantage: Decimal


@dataclass(frozen=True, slots=True)
class AuctionPlan:
    """Opens in order of acceptance; closes in the same order; every loser with its reason."""

    winners: tuple[Winner, ...] = ()
    losers: tuple[Loser, ...] = ()
    closes: tuple[Close, ...] = ()


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """What stands in a candidate's way; `is_relievable`: would closing some position help?"""

    reason: LossReason
    is_relievable: bool
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """The plan so far: what would be held, and what was decided. Each acceptance makes a new one."""

    items: tuple[ExposureItem, ...]
    clusters: tuple[tuple[Symbol, str, Direction], ...]
    holdings: tuple[Holding, ...]
    winners: tuple[Winner, ...] = ()
    closes: tuple[Close, ...] = ()

    @property
    def count(self) -> int:
        """Markets held or possibly held."""
        return len({item.symbol for item in self.items} | {holding.symbol for holding in self.holdings})

    @property
    def trades(self) -> int:
        return len(self.winners) + len(self.closes)

    def without(self, symbol: Symbol) -> _Table:
        return _Table(
            tuple(item for item in self.items if item.symbol != symbol),
            tuple(entry for entry in self.clusters if entry[0] != symbol),
            tuple(holding for holding in self.holdings if holding.symbol != symbol),
            self.winners,
            self.closes,
        )


def allocate(
    candidates: Sequence[Candidate],
    holdings: Sequence[Holding],
    items: Sequence[ExposureItem],
    *,
    equity: Decimal,
    judge: Judge,
    limits: AuctionLimits,
    now: datetime,
) -> AuctionPlan:
    """Plan one cycle. equity in USD.

    holdings: every active position of ours, pending and adopted ones included (they lock themselves).
    items: everything that is or may become exposure, the holdings' own items included.
    """
    table = _Table(
        # sorted: 28-digit sums depend on their order in the last digit, and a plan must not
        items=tuple(sorted(items, key=lambda item: (item.symbol, item.kind.value, item.direction.value, item.qty, item.entry_price))),
        clusters=tuple((h.symbol, h.cluster, h.direction) for h in holdings),
        holdings=tuple(sorted(holdings, key=lambda holding: _holding_rank(holding, limits))),
    )
    losers: list[Loser] = []
    for candidate in sorted(candidates, key=lambda c: _candidate_rank(c, c.value(limits), _dry_margin(c, table, judge))):
        accepted = _try_candidate(candidate, table, equity, judge, limits, now)
        if isinstance(accepted, Loser):
            losers.append(accepted)
        else:
            table = accepted
    return AuctionPlan(table.winners, tuple(losers), table.closes)


def _dry_margin(candidate: Candidate, table: _Table, judge: Judge) -> Decimal | None:
    """Planned margin against the book as it is, for the order of equals; None when it does not pass alone."""
    decision = judge(candidate.intent, table.items, 0)
    return decision.planned_margin if isinstance(decision, Approved) else None


def _candidate_rank(candidate: Candidate, value: Decimal, margin: Decimal | None) -> tuple[object, ...]:
    """Best first: value, then older signal, less margin, symbol. The rest only makes the order total."""
    signal = candidate.intent.signal
    best_first = (-value, signal.at_ms, margin is None, margin or Decimal(0), candidate.symbol)
    return (*best_first, candidate.direction.value, candidate.cluster, candidate.intent.position_id)


def _holding_rank(holding: Holding, limits: AuctionLimits) -> tuple[object, ...]:
    """Weakest first: the reverse of the auction's order, so of two equals the younger goes before the older."""
    return (holding.value(limits), -holding.opened_at.timestamp(), -holding.planned_margin, holding.symbol)


def _try_candidate(
    candidate: Candidate, table: _Table, equity: Decimal, judge: Judge, limits: AuctionLimits, now: datetime
) -> _Table | Loser:
    value = candidate.value(limits)
    judged = _judge_at(candidate, table, equity, judge, limits)
    if isinstance(judged, Approved):
        return _accept(candidate, value, judged, table, limits, replaces=None)
    if not judged.is_relievable or table.trades + 2 > limits.trades_max or len(table.closes) >= limits.closes_max:
        return Loser(candidate, value, judged.reason, judged.refused)
    best: Decimal | None = None
    for holding in table.holdings:
        if holding.lock(now, limits) is not None:
            continue
        advantage = value - holding.value(limits)
        best = advantage if best is None else max(best, advantage)
        # an open position keeps its place unless the rival is clearly better, costs on both sides counted
        if advantage < limits.advantage_min:
            break
        relieved = _judge_at(candidate, table.without(holding.symbol), equity, judge, limits)
        if isinstance(relieved, Approved):
            return _accept(candidate, value, relieved, table, limits, replaces=holding)
    return Loser(candidate, value, judged.reason, judged.refused, best)


def _judge_at(candidate: Candidate, table: _Table, equity: Decimal, judge: Judge, limits: AuctionLimits) -> Approved | _Obstacle:
    """The auction's own constraints first, then the risk manager against the table, then the margin budget of the result."""
    if any(item.symbol == candidate.symbol for item in table.items) or any(h.symbol == candidate.symbol for h in table.holdings):
        return _Obstacle(LossReason.SYMBOL_TAKEN, is_relievable=False)
    if any(close.holding.symbol == candidate.symbol for close in table.closes):
        # a market being left in this cycle is entered again in a later one, after the close is confirmed
        return _Obstacle(LossReason.SYMBOL_TAKEN, is_relievable=False)
    if len(table.winners) >= limits.opens_max:
        return _Obstacle(LossReason.OPENS_PER_CYCLE, is_relievable=False)
    if table.trades >= limits.trades_max:
        return _Obstacle(LossReason.TRADES_PER_CYCLE, is_relievable=False)
    if table.count >= limits.positions_max:
        return _Obstacle(LossReason.POSITIONS_MAX, is_relievable=True)
    companions = sum(cluster == candidate.cluster and way is candidate.direction for _, cluster, way in table.clusters)
    if companions >= limits.cluster_max:
        return _Obstacle(LossReason.CLUSTER_MAX, is_relievable=True)
    decision = judge(candidate.intent, table.items, len(table.winners))
    if isinstance(decision, Refused):
        return _Obstacle(LossReason.RISK_REFUSED, decision.reason in RELIEVED_BY_A_CLOSE, decision)
    planned = total_planned_margin(table.items) + decision.planned_margin
    if planned > limits.planned_utilization_max * equity:
        return _Obstacle(LossReason.MARGIN, is_relievable=True)
    return decision


def _accept(
    candidate: Candidate, value: Decimal, decision: Approved, table: _Table, limits: AuctionLimits, *, replaces: Holding | None
) -> _Table:
    base = table if replaces is None else table.without(replaces.symbol)
    closes = table.closes
    if replaces is not None:
        closes = (*closes, Close(replaces, candidate, value - replaces.value(limits)))
    return _Table(
        items=(*base.items, decision.exposure),
        clusters=(*base.clusters, (candidate.symbol, candidate.cluster, candidate.direction)),
        holdings=base.holdings,
        winners=(*table.winners, Winner(candidate, value, decision, replaces)),
        closes=closes,
    )
