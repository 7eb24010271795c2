"""The gates a sized entry passes: not dust, far enough from liquidation, survivable under stress, worth its cost.

Each is a small pure function; the table at the end is the order.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeAlias

from trading_system.domain.exposure import StressResult, liquidation_price, stress_shocks, stress_stops
from trading_system.domain.intents import RefusalReason, Refused
from trading_system.domain.orders import Direction, EntryStyle
from trading_system.domain.signals import Regime
from trading_system.domain.units import BPS, ONE, ZERO, decimal_of
from trading_system.risk.limits import RiskLimits
from trading_system.risk.proposal import Proposal
from trading_system.risk.situation import Situation

ProposalGate: TypeAlias = Callable[[Proposal, Situation, RiskLimits], Refused | None]
R = RefusalReason


def check_minimum(proposal: Proposal, situation: Situation, limits: RiskLimits) -> Refused | None:
    """Notional at mark >= max(our minimum, the venue's minimum, the configured minimum after entry and exit fees)."""
    mark, rules = proposal.prices.mark, limits.feasibility
    fees = entry_fee(limits) + limits.fees.taker
    required = max(rules.notional_min_usd, situation.market.instrument.size_min * mark, rules.trade_net_min_usd / (ONE - fees))
    notional = proposal.qty * mark
    if notional >= required and proposal.qty > 0:
        return None
    binding = proposal.trace.binding
    note = "size before flooring was already too small" if binding is None else binding.text
    return Refused(R.NOTIONAL_BELOW_MINIMUM, required, notional, note=note, trace=proposal.trace)


def check_liquidation(proposal: Proposal, situation: Situation, limits: RiskLimits) -> Refused | None:
    """Cross account, others at their stops: the liquidation price stays far beyond our stop."""
    prices, rules = proposal.prices, limits.feasibility
    price = liquidation_price(proposal.item, situation.book.items, _equity_after_fill(proposal, situation), limits.exit_costs)
    if price is None:
        return None
    distance = (prices.mark - price) * proposal.intent.direction.sign / prices.mark
    stop_distance = abs(prices.mark - prices.stop) / prices.mark
    required = max(stop_distance * rules.liquidation_stop_multiple, rules.liquidation_distance_min)
    if distance < required:
        return Refused(R.LIQUIDATION_TOO_CLOSE, required, distance, note=f"liquidation at {price:f}", trace=proposal.trace)
    buffer = ONE - stop_distance / distance
    if buffer < rules.liquidation_buffer_min:
        return Refused(R.LIQUIDATION_BUFFER, rules.liquidation_buffer_min, buffer, note=f"liquidation at {price:f}", trace=proposal.trace)
    return None


def check_stress(proposal: Proposal, situation: Situation, limits: RiskLimits) -> Refused | None:
    """Equity covers maintenance when all prices move together, and when every stop fills with a gap."""
    items, equity = (*situation.book.items, proposal.item), _equity_after_fill(proposal, situation)
    gap_min, gaps = limits.feasibility.stop_gap_min, situation.book.stop_gaps
    for case in (
        stress_shocks(items, equity, limits.feasibility.stress_shocks),
        stress_stops(items, equity, [max(gap_min, gaps.get(item.symbol, ZERO)) for item in items], limits.exit_costs),
    ):
        if not case.survives:
            return _stress_refused(case, proposal)
    return None


def _stress_refused(case: StressResult, proposal: Proposal) -> Refused:
    return Refused(
        R.STRESS, case.maintenance, case.equity, note=f"{case.scenario}: equity would be below maintenance", trace=proposal.trace
    )


def _equity_after_fill(proposal: Proposal, situation: Situation) -> Decimal:
    """A fill at the limit loses the distance to mark at once."""
    prices = proposal.prices
    worse = abs(prices.start(proposal.intent.direction) - prices.mark) * proposal.qty
    return situation.account.equity_for_sizing - worse


def check_cost(proposal: Proposal, situation: Situation, limits: RiskLimits) -> Refused | None:
    """Tight: whole cost in bps and reward to risk at mark. Wide: fees and funding as a share of the risk."""
    rules, prices = limits.feasibility, proposal.prices
    match proposal.intent.signal.regime:
        case Regime.TIGHT_SMC | Regime.CONSOLIDATION:
            cost = expected_cost_bps(proposal, situation, limits)
            if cost > rules.tight_cost_bps_max:
                return Refused(R.COST_TOO_HIGH, rules.tight_cost_bps_max, cost, note="bps of notional", trace=proposal.trace)
            target = decimal_of(proposal.intent.signal.target_price)
            reward = (target - prices.mark) * proposal.intent.direction.sign / abs(prices.mark - prices.stop)
            if reward < rules.tight_reward_risk_min:
                return Refused(R.REWARD_TOO_LOW, rules.tight_reward_risk_min, reward, note="reward to risk at mark", trace=proposal.trace)
        case Regime.WIDE_STRUCTURE:
            risk_bps = proposal.trace.stop_distance / BPS
            share = (fees_bps(limits) + funding_bps(proposal, situation, rules.wide_hold_h)) / risk_bps
            if share > rules.wide_cost_share_max:
                return Refused(R.COST_TOO_HIGH, rules.wide_cost_share_max, share, note="fees and funding over risk", trace=proposal.trace)
    return None


def expected_cost_bps(proposal: Proposal, situation: Situation, limits: RiskLimits) -> Decimal:
    """Full spread + entry fee + taker exit fee + expected funding if paid, in bps of notional."""
    spread = situation.market.ticker.spread_bps
    is_wide = proposal.intent.signal.regime is Regime.WIDE_STRUCTURE
    hold = limits.feasibility.wide_hold_h if is_wide else limits.feasibility.tight_hold_h
    return (spread if spread is not None else ZERO) + fees_bps(limits) + funding_bps(proposal, situation, hold)


def fees_bps(limits: RiskLimits) -> Decimal:
    """Entry and exit fee in bps."""
    return (entry_fee(limits) + limits.fees.taker) / BPS


def entry_fee(limits: RiskLimits) -> Decimal:
    """Maker only for post-only entries: anything else may take."""
    return limits.fees.maker if limits.entry_style is EntryStyle.POST_ONLY else limits.fees.taker


def funding_bps(proposal: Proposal, situation: Situation, hold_h: Decimal) -> Decimal:
    """Funding paid over the expected hold, bps; 0 when received, or when the venue publishes no rate."""
    rate = situation.market.ticker.funding_rate_hourly or ZERO
    paid = rate if proposal.intent.direction is Direction.LONG else -rate
    return max(ZERO, paid) * hold_h / BPS


PROPOSAL_GATES: Final[tuple[ProposalGate, ...]] = (check_minimum, check_liquidation, check_stress, check_cost)
