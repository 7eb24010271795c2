"""Regime of a break: tight (it left zones), wide (it left none, but the trend is strong), or consolidation."""

from __future__ import annotations

from trading_system.domain.signals import Regime


def classify_regime(*, has_unmitigated_zone: bool, is_break_newer_than_touch: bool, adx_4h: float, wide_adx_min: float) -> Regime:
    """A zone that was used but not mitigated keeps the leg tight. A break younger than the touching bar has no zones yet, and
    taking it for wide would trade the absence of knowledge."""
    if is_break_newer_than_touch:
        return Regime.CONSOLIDATION
    if has_unmitigated_zone:
        return Regime.TIGHT_SMC
    return Regime.WIDE_STRUCTURE if adx_4h >= wide_adx_min else Regime.CONSOLIDATION
