"""The one door to an order: ordered gates, a size, more gates; `Approved` or `Refused` with its numbers.

Pure. The auction asks the same question beforehand (`is_dry=True`, against the book plus the winners already accepted); the
only difference is that the order book, which is read for winners alone, is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from trading_system.domain.exposure import ExposureItem, open_risk, planned_leverage
from trading_system.domain.intents import Approved, EntryDecision, EntryIntent, RefusalReason, Refused
from trading_system.domain.market import Tier
from trading_system.domain.orders import EntryStyle
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ONE, ZERO
from trading_system.risk.entry_gates import ENTRY_GATES
from trading_system.risk.limits import RiskLimits
from trading_system.risk.liquidity import check_book
from trading_system.risk.proposal import Proposal, compute_prices, compute_take_profits, size_entry
from trading_system.risk.proposal_gates import PROPOSAL_GATES, expected_cost_bps
from trading_system.risk.situation import Situation


def decide_entry(intent: EntryIntent, situation: Situation, limits: RiskLimits, *, is_dry: bool = False) -> EntryDecision:
    """Judge one entry. The first gate that says no ends it; a size is only ever made smaller."""
    for gate in ENTRY_GATES:
        refused = gate(intent, situation, limits)
        if refused is not None:
            return refused
    if situation.losses is None:  # the loss gate has refused this; said again for the type checker
        return Refused(RefusalReason.LOSS_STATE_STALE, ZERO, ZERO)
    market = situation.market
    prices = compute_prices(intent, market.ticker, market.instrument, limits.tier(market.tier).slippage_max, limits.entry_style)
    proposal = size_entry(intent, prices, situation, situation.losses, limits)
    if isinstance(proposal, Refused):
        return proposal
    for proposal_gate in PROPOSAL_GATES:
        refused = proposal_gate(proposal, situation, limits)
        if refused is not None:
            return refused
    if not is_dry and limits.entry_style is not EntryStyle.POST_ONLY:
        slippage_max = limits.tier(market.tier).slippage_max
        refused = check_book(market.book, intent.direction.entry_side, proposal.qty, slippage_max, situation.now, limits.quotes)
        if refused is not None:
            return replace(refused, trace=proposal.trace)
    return _approve(proposal, situation, limits)


def _approve(proposal: Proposal, situation: Situation, limits: RiskLimits) -> Approved:
    item, market = proposal.item, situation.market
    return Approved(
        intent=proposal.intent,
        approved_at=situation.now,
        tier=market.tier or Tier.C,
        style=limits.entry_style,
        qty=proposal.qty,
        mark_price=proposal.prices.mark,
        limit_price=proposal.prices.limit,
        stop_price=proposal.prices.stop,
        take_profits=compute_take_profits(proposal.intent, proposal.prices, market.instrument.tick, limits),
        exposure=item,
        planned_leverage=planned_leverage(item.notional, item.margin_levels, limits.leverage_for(market.tier)),
        open_risk=open_risk(item, limits.exit_costs),
        expected_cost_bps=expected_cost_bps(proposal, situation, limits),
        trace=proposal.trace,
    )


class SituationOf(Protocol):
    """The newest facts of one market, or None when they could not be read."""

    def __call__(self, symbol: Symbol) -> Situation | None: ...


def dry_judge(situation_of: SituationOf, limits: RiskLimits) -> Callable[[EntryIntent, tuple[ExposureItem, ...], int], EntryDecision]:
    """What the auction asks: would this intent pass, given these items and so many opens accepted before it in this cycle?"""

    def judge(intent: EntryIntent, items: tuple[ExposureItem, ...], opens_before: int) -> EntryDecision:
        situation = situation_of(intent.symbol)
        if situation is None:
            return Refused(RefusalReason.QUOTE_UNUSABLE, ONE, ZERO, note=f"no facts about {intent.symbol}")
        planned = replace(
            situation,
            book=replace(situation.book, items=items),
            recent_opens=(*situation.recent_opens, *([situation.now] * opens_before)),
        )
        return decide_entry(intent, planned, limits, is_dry=True)

    return judge
