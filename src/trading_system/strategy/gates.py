"""The gates in order, as a table. Each is a function from the case to a GateResult; the first failure ends the judgement.

A gate may leave what it found on the case for the gates after it. All prices on the case are oriented (see `bars`); what is
reported to people is turned back. Texts that do not depend on the case are made once per parameter set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from trading_system.domain.market import Timeframe
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import GateResult, GateState, Regime
from trading_system.domain.tuples import maker_of
from trading_system.strategy.bias import Bias, classify_bias, deviation_bps
from trading_system.strategy.costs import compute_cost_bps
from trading_system.strategy.equal_levels import nearest_equal_highs
from trading_system.strategy.fibonacci import Retracement, classify_retracement
from trading_system.strategy.gate_texts import GateTexts
from trading_system.strategy.parameters import RegimeParameters, SmcParameters
from trading_system.strategy.regime import classify_regime
from trading_system.strategy.scoring import ScoreFacts, compute_score, score_min
from trading_system.strategy.series import SymbolState
from trading_system.strategy.stops import buffer_atr, distance_bounds, volatility_rank
from trading_system.strategy.structure import Break
from trading_system.strategy.targets import nearest_target
from trading_system.strategy.zones import EntryZone, Touch, Zone, classify_touch, is_used, select_entry_zone

DATA_INSUFFICIENT: Final = "DATA_INSUFFICIENT"
DATA_STALE: Final = "DATA_STALE"
STRUCTURE_REQUIRED: Final = "4H_STRUCTURE_REQUIRED"
COUNTER_BIAS: Final = "COUNTER_BIAS"
RANGE_TOO_SMALL: Final = "RANGE_TOO_SMALL"
REGIME_NOT_TRADEABLE: Final = "REGIME_NOT_TRADEABLE"
NOT_IN_OTE: Final = "entry not in OTE/Key Fib"
PRICE_NOT_AT_ZONE: Final = "PRICE_NOT_AT_ZONE"
STOP_INVALID: Final = "STOP_INVALID"
RR_TOO_LOW: Final = "RR_TOO_LOW"
SCORE_BELOW_THRESHOLD: Final = "SCORE_BELOW_THRESHOLD"

_result: Final = maker_of(GateResult)
_PASSED: Final = GateState.PASSED
_FAILED: Final = GateState.FAILED
# members of enums, by name: looked up on their class they cost a call each, at every judgement
_CONSOLIDATION: Final = Regime.CONSOLIDATION
_TIGHT: Final = Regime.TIGHT_SMC
_AGAINST: Final = Bias.AGAINST
_QUARTER_MS: Final = Timeframe.M15.ms
_FOUR_HOURS_MS: Final = Timeframe.H4.ms


class Case:
    """One judgement in the making. Attributes without a default are set by the gate that finds them."""

    __slots__ = (
        "adx_4h",
        "at_ms",
        "atr_4h",
        "atr_15m",
        "bar_closed_ms",
        "bias",
        "broken",
        "cost_bps",
        "costs",
        "entry_zone",
        "live_zones",
        "numbers",
        "parameters",
        "price",
        "regime",
        "retracement",
        "reward_risk",
        "risk",
        "score",
        "sign",
        "state",
        "stop",
        "target",
        "texts",
        "tolerance",
        "touch",
    )
    # set at once
    state: SymbolState
    parameters: SmcParameters
    texts: GateTexts
    at_ms: int
    costs: StrategyCosts
    bar_closed_ms: int
    # set by the structure gate
    broken: Break
    sign: int
    price: float
    # set by later gates, in order
    bias: Bias
    atr_4h: float
    adx_4h: float
    regime: Regime
    numbers: RegimeParameters
    live_zones: list[Zone]
    retracement: Retracement
    entry_zone: EntryZone
    tolerance: float
    touch: Touch
    atr_15m: float
    cost_bps: float
    stop: float
    risk: float
    target: float
    reward_risk: float
    score: float

    def __init__(self, state: SymbolState, parameters: SmcParameters, texts: GateTexts, at_ms: int, costs: StrategyCosts) -> None:
        self.state = state
        self.parameters = parameters
        self.texts = texts
        self.at_ms = at_ms
        self.costs = costs
        self.bar_closed_ms = state.quarters.last_open_ms + _QUARTER_MS


def check_data(case: Case) -> GateResult:
    """Enough closed bars, and a 4h bar that is not old. Days are not counted here: their lack makes the bias neutral."""
    state, p, required = case.state, case.parameters, case.texts.data
    for name, have, need in (
        ("4h", state.four_hours.count, p.bars_4h_min),
        ("1h", state.hours.count, p.bars_1h_min),
        ("15m", state.quarters.count, p.bars_15m_min),
    ):
        if have < need:
            return _result(("data", _FAILED, required, f"{have} {name} bars", float(need - have), DATA_INSUFFICIENT))
    age_ms = case.at_ms - state.four_hours.last_open_ms - _FOUR_HOURS_MS
    if age_ms > p.age_of_4h_close_max_ms:
        late_h = (age_ms - p.age_of_4h_close_max_ms) / 3_600_000
        return _result(("data", _FAILED, required, f"4h bar closed {age_ms / 3_600_000:.2f} h ago", late_h, DATA_STALE))
    return _result(("data", _PASSED, required, age_ms / 3_600_000, 0.0, None))


def check_structure(case: Case) -> GateResult:
    """A valid break gives the one direction. Breaks beyond the age limit are dropped by the detector."""
    broken = case.state.four_hours.structure.ruling()
    if broken is None:
        return _result(("structure", _FAILED, case.texts.structure, None, None, STRUCTURE_REQUIRED))
    case.broken, case.sign = broken, broken.sign
    case.price = broken.sign * case.state.quarters.close
    return _result(("structure", _PASSED, case.texts.structure, float(case.state.four_hours.count - 1 - broken.index), 0.0, None))


def check_bias(case: Case) -> GateResult:
    days, p = case.state.days, case.parameters
    if days.count < p.bars_1d_for_bias_min or not days.mean.is_ready:
        case.bias = Bias.NEUTRAL
        return _result(("bias", _PASSED, case.texts.bias, None, 0.0, None))
    favour = case.sign * deviation_bps(days.close, days.mean.value)
    case.bias = classify_bias(favour, p.bias_neutral_bps)
    if case.bias is _AGAINST:
        return _result(("bias", _FAILED, case.texts.bias, favour, -p.bias_neutral_bps - favour, COUNTER_BIAS))
    return _result(("bias", _PASSED, case.texts.bias, favour, 0.0, None))


def check_range(case: Case) -> GateResult:
    case.atr_4h = case.state.four_hours.atr.value
    if case.atr_4h <= 0.0:  # a market that stood still for the whole smoothing length
        return _result(("range", _FAILED, case.texts.range, None, None, RANGE_TOO_SMALL))
    multiple = case.broken.dealing_range.height / case.atr_4h
    missing = case.parameters.range_atr_min - multiple
    if missing > 0.0:
        return _result(("range", _FAILED, case.texts.range, multiple, missing, RANGE_TOO_SMALL))
    return _result(("range", _PASSED, case.texts.range, multiple, 0.0, None))


def check_regime(case: Case) -> GateResult:
    """Zone state as of the opening of the touching bar; the break as of now."""
    broken, p = case.broken, case.parameters
    as_of_ms = case.state.quarters.last_open_ms
    unmitigated = [zone for zone in broken.zones if zone.is_unmitigated(as_of_ms)]
    case.adx_4h = case.state.four_hours.adx.value
    case.regime = classify_regime(
        has_unmitigated_zone=bool(unmitigated),
        is_break_newer_than_touch=broken.closed_ms > as_of_ms,
        adx_4h=case.adx_4h,
        wide_adx_min=p.wide_adx_min,
    )
    if case.regime is _CONSOLIDATION:
        short_of = max(0.0, p.wide_adx_min - case.adx_4h)
        return _result(("regime", _FAILED, case.texts.regime, case.regime.value, short_of, REGIME_NOT_TRADEABLE))
    case.numbers = p.of(case.regime)
    used, at_ms = case.state.used, case.bar_closed_ms
    case.live_zones = [zone for zone in unmitigated if not is_used(zone.zone_id, used, at_ms)] if used else unmitigated
    is_tight = case.regime is _TIGHT
    # A used zone that nothing has mitigated keeps the leg tight: it waits, and does not turn wide.
    is_waiting = not case.live_zones if is_tight else is_used(broken.band_id, used, at_ms)
    if is_waiting:
        actual = case.texts.waiting_tight if is_tight else case.texts.waiting_wide
        return _result(("regime", _FAILED, case.texts.regime, actual, None, REGIME_NOT_TRADEABLE))
    return _result(("regime", _PASSED, case.texts.regime, case.regime.value, 0.0, None))


def check_retracement(case: Case) -> GateResult:
    p = case.parameters
    is_tight = case.regime is _TIGHT
    required = case.texts.retracement_tight if is_tight else case.texts.retracement_wide
    found = classify_retracement(
        case.price,
        case.broken.dealing_range,
        ote_low=p.ote_low,
        ote_high=p.ote_high,
        key_levels=p.key_levels if is_tight else (),
        tolerance_bps=p.key_level_tolerance_bps,
    )
    case.retracement = found
    if not found.passes:
        return _result(("ote", _FAILED, required, found.r, found.distance, NOT_IN_OTE))
    return _result(("ote", _PASSED, required, found.r, 0.0, None))


def check_touch(case: Case) -> GateResult:
    p, price = case.parameters, case.price
    case.tolerance = min(p.touch_tolerance_price_fraction_max * abs(price), p.touch_tolerance_atr_4h * case.atr_4h)
    zone = select_entry_zone(case.live_zones, price, case.tolerance) if case.regime is _TIGHT else _band(case)
    if zone is None:
        return _result(("zone_touch", _FAILED, case.texts.touch, "no entry zone", None, PRICE_NOT_AT_ZONE))
    quarters = case.state.quarters
    low = quarters.low if case.sign > 0 else -quarters.high
    case.entry_zone = zone
    case.touch = classify_touch(case.sign * quarters.open, low, price, zone, case.tolerance)
    actual = case.sign * low
    if not case.touch.is_touched:
        return _result(("zone_touch", _FAILED, case.texts.touch, actual, case.touch.gap, PRICE_NOT_AT_ZONE))
    return _result(("zone_touch", _PASSED, case.texts.touch, actual, 0.0, None))


def _band(case: Case) -> EntryZone:
    """The entry zone of a wide setup: the OTE band."""
    broken, p = case.broken, case.parameters
    dealing_range = broken.dealing_range
    low, high = dealing_range.level(p.ote_high), dealing_range.level(p.ote_low)
    swing = case.state.hours.newest_low_in(case.sign, dealing_range.low, low)
    return EntryZone(low, high, dealing_range.low if swing is None else swing, (broken.band_id,))


def check_stop(case: Case) -> GateResult:
    p, numbers = case.parameters, case.numbers
    case.atr_15m = case.state.quarters.atr.value
    case.cost_bps = compute_cost_bps(case.costs, case.sign, numbers.hold_hours)
    rank = volatility_rank(case.state.four_hours.ratios, values_min=p.volatility_rank_values_min, default=p.volatility_rank_default)
    buffer = buffer_atr(rank, numbers.stop_atr_min, numbers.stop_atr_max)
    case.stop = case.entry_zone.invalidation - buffer * case.atr_4h
    case.risk = case.price - case.stop
    smallest, largest = distance_bounds(
        case.price,
        case.atr_15m,
        case.cost_bps,
        atr_15m_min=p.stop_atr_15m_min,
        cost_multiple_min=numbers.stop_cost_multiple_min,
        fraction_max=p.stop_distance_fraction_max,
    )
    required = case.texts.stop_tight if case.regime is _TIGHT else case.texts.stop_wide
    if not case.risk > 0.0 or not smallest <= case.risk <= largest:
        distance = smallest - case.risk if case.risk < smallest else case.risk - largest
        return _result(("stop", _FAILED, required, case.risk, distance, STOP_INVALID))
    return _result(("stop", _PASSED, required, case.risk, 0.0, None))


def check_reward(case: Case) -> GateResult:
    p, state = case.parameters, case.state
    at_least = case.price + p.target_reward_risk_min * case.risk
    hourly = state.hours.highs_of(case.sign)
    target = nearest_target(
        (
            case.broken.range_high,
            state.four_hours.structure.untaken_of(case.sign).nearest(at_least),
            nearest_equal_highs(
                hourly.untaken,
                first_index=state.hours.count - p.equal_levels_bars_1h,
                tolerance=p.equal_levels_atr_4h * case.atr_4h,
                at_least=at_least,
            ),
        ),
        at_least,
    )
    required = case.texts.reward_tight if case.regime is _TIGHT else case.texts.reward_wide
    if target is None:
        return _result(("reward", _FAILED, required, "no target", None, RR_TOO_LOW))
    case.target = target
    case.reward_risk = (target - case.price) / case.risk
    missing = case.numbers.reward_risk_min - case.reward_risk
    if missing > 0.0:
        return _result(("reward", _FAILED, required, case.reward_risk, missing, RR_TOO_LOW))
    return _result(("reward", _PASSED, required, case.reward_risk, 0.0, None))


def check_score(case: Case) -> GateResult:
    kinds = {zone.kind for zone in case.live_zones}
    case.score = compute_score(
        ScoreFacts(
            regime=case.regime,
            has_order_block="ob" in kinds,
            has_fair_value_gap="fvg" in kinds,
            is_in_ote=case.retracement.is_in_ote,
            bias=case.bias,
            adx_4h=case.adx_4h,
            cost_bps=case.cost_bps,
            is_swept=case.broken.is_swept,
            is_tolerance_touch=case.touch.is_tolerance_only,
        ),
        case.parameters,
    )
    missing = score_min(case.regime, case.bias, case.parameters) - case.score
    required = case.texts.score_of(case.regime, case.bias)
    if missing > 0.0:
        return _result(("score", _FAILED, required, case.score, missing, SCORE_BELOW_THRESHOLD))
    return _result(("score", _PASSED, required, case.score, 0.0, None))


class Gate(NamedTuple):
    """One row of the table."""

    name: str
    check: Callable[[Case], GateResult]


GATES: Final[tuple[Gate, ...]] = (
    Gate("data", check_data),
    Gate("structure", check_structure),
    Gate("bias", check_bias),
    Gate("range", check_range),
    Gate("regime", check_regime),
    Gate("ote", check_retracement),
    Gate("zone_touch", check_touch),
    Gate("stop", check_stop),
    Gate("reward", check_reward),
    Gate("score", check_score),
)
