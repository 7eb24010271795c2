"""What the 4h and 1d bars say of a market: structure, bias, range and regime, asked once per 4h bar and not at every quarter.

Every gate is a function of the state as it is; what it found is kept for as long as the bars that it read are the newest. The
one thing that moves in between is which zones were known when the touching bar opened: until a quarter has opened after the
newest 4h bar closed, nothing is kept.
"""

from __future__ import annotations

from typing import Final

from trading_system.domain.market import Timeframe
from trading_system.domain.signals import GateResult, GateState, Regime
from trading_system.domain.tuples import maker_of
from trading_system.strategy.bias import Bias, classify_bias, deviation_bps
from trading_system.strategy.dealing_range import DealingRange
from trading_system.strategy.gate_texts import GateTexts
from trading_system.strategy.parameters import RegimeParameters, SmcParameters
from trading_system.strategy.regime import classify_regime
from trading_system.strategy.series import SymbolState
from trading_system.strategy.structure import Break
from trading_system.strategy.zones import Zone, unmitigated_zones

STRUCTURE_REQUIRED: Final = "4H_STRUCTURE_REQUIRED"
COUNTER_BIAS: Final = "COUNTER_BIAS"
RANGE_TOO_SMALL: Final = "RANGE_TOO_SMALL"
REGIME_NOT_TRADEABLE: Final = "REGIME_NOT_TRADEABLE"

LONG_GATE_NAMES: Final = ("structure", "bias", "range")
"""The regime is the last thing asked here and the first that a quarter can change: zones are used up by signals."""

_result: Final = maker_of(GateResult)
_PASSED: Final = GateState.PASSED
_FAILED: Final = GateState.FAILED
_FOUR_HOURS_MS: Final = Timeframe.H4.ms


class LongFrames:
    """One answer. Attributes after `results` are set by the gate that finds them; past a failed gate they are missing."""

    __slots__ = (
        "_days",
        "_four_hours",
        "_is_settled",
        "adx_4h",
        "atr_4h",
        "bias",
        "blocking",
        "broken",
        "dealing_range",
        "numbers",
        "regime",
        "regime_result",
        "results",
        "sign",
        "unmitigated",
    )
    results: tuple[GateResult, ...]
    """In order up to the first failure; when the regime is asked and holds, it is not among them (see `regime_result`)."""
    blocking: GateResult | None
    """The gate that failed, or None when the quarter decides."""
    broken: Break
    sign: int
    dealing_range: DealingRange
    bias: Bias
    atr_4h: float
    adx_4h: float
    unmitigated: list[Zone]
    """Zones that are known and not mitigated as of the opening of the touching bar."""
    regime: Regime
    numbers: RegimeParameters
    regime_result: GateResult

    def __init__(self, state: SymbolState, parameters: SmcParameters, texts: GateTexts) -> None:
        four_hours = state.four_hours
        self._four_hours, self._days = four_hours.last_open_ms, state.days.last_open_ms
        self._is_settled = state.quarters.last_open_ms >= four_hours.last_open_ms + _FOUR_HOURS_MS
        results: list[GateResult] = []
        for check in (_check_structure, _check_bias, _check_range, _check_regime):
            result = check(self, state, parameters, texts)
            results.append(result)
            if result.state is _FAILED:
                break
        else:
            self.regime_result = results.pop()
        self.results = tuple(results)
        self.blocking = results[-1] if results[-1].state is _FAILED else None

    def is_current(self, state: SymbolState) -> bool:
        """True while nothing that was read here has changed."""
        return self._is_settled and state.four_hours.last_open_ms == self._four_hours and state.days.last_open_ms == self._days


def _check_structure(found: LongFrames, state: SymbolState, p: SmcParameters, texts: GateTexts) -> GateResult:
    """A valid break gives the one direction. Breaks beyond the age limit are dropped by the detector."""
    del p
    broken = state.four_hours.structure.ruling()
    if broken is None:
        return _result(("structure", _FAILED, texts.structure, None, None, STRUCTURE_REQUIRED))
    found.broken, found.sign, found.dealing_range = broken, broken.sign, broken.dealing_range
    return _result(("structure", _PASSED, texts.structure, float(state.four_hours.count - 1 - broken.index), 0.0, None))


def _check_bias(found: LongFrames, state: SymbolState, p: SmcParameters, texts: GateTexts) -> GateResult:
    days = state.days
    if days.count < p.bars_1d_for_bias_min or not days.mean.is_ready:
        found.bias = Bias.NEUTRAL
        return _result(("bias", _PASSED, texts.bias, None, 0.0, None))
    favour = found.sign * deviation_bps(days.close, days.mean.value)
    found.bias = classify_bias(favour, p.bias_neutral_bps)
    if found.bias is Bias.AGAINST:
        return _result(("bias", _FAILED, texts.bias, favour, -p.bias_neutral_bps - favour, COUNTER_BIAS))
    return _result(("bias", _PASSED, texts.bias, favour, 0.0, None))


def _check_range(found: LongFrames, state: SymbolState, p: SmcParameters, texts: GateTexts) -> GateResult:
    found.atr_4h = state.four_hours.atr.value
    if found.atr_4h <= 0.0:  # a market that stood still for the whole smoothing length
        return _result(("range", _FAILED, texts.range, None, None, RANGE_TOO_SMALL))
    multiple = found.dealing_range.height / found.atr_4h
    missing = p.range_atr_min - multiple
    if missing > 0.0:
        return _result(("range", _FAILED, texts.range, multiple, missing, RANGE_TOO_SMALL))
    return _result(("range", _PASSED, texts.range, multiple, 0.0, None))


def _check_regime(found: LongFrames, state: SymbolState, p: SmcParameters, texts: GateTexts) -> GateResult:
    """Zone state as of the opening of the touching bar; the break as of now."""
    as_of_ms = state.quarters.last_open_ms
    found.unmitigated = unmitigated_zones(found.broken.zones, as_of_ms)
    found.adx_4h = state.four_hours.adx.value
    found.regime = classify_regime(
        has_unmitigated_zone=bool(found.unmitigated),
        is_break_newer_than_touch=found.broken.closed_ms > as_of_ms,
        adx_4h=found.adx_4h,
        wide_adx_min=p.wide_adx_min,
    )
    if found.regime is Regime.CONSOLIDATION:
        short_of = max(0.0, p.wide_adx_min - found.adx_4h)
        return _result(("regime", _FAILED, texts.regime, found.regime.value, short_of, REGIME_NOT_TRADEABLE))
    found.numbers = p.of(found.regime)
    return _result(("regime", _PASSED, texts.regime, found.regime.value, 0.0, None))
