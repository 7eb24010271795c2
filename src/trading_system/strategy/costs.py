"""What a trade costs, in basis points of its notional."""

from __future__ import annotations

from trading_system.domain.protocols import StrategyCosts


def compute_cost_bps(costs: StrategyCosts, sign: int, hold_hours: float) -> float:
    """Full spread, entry fee, exit fee, and the funding we would pay over `hold_hours` (funding received is not counted)."""
    funding_paid = max(0.0, sign * costs.funding_bps_per_hour) * hold_hours
    return costs.spread_bps + costs.entry_fee_bps + costs.exit_fee_bps + funding_paid
