"""The gates that are asked at every 15m bar, in order. Each gives a GateResult; the first failure ends the judgement.

What the 4h and 1d bars say stands between data and regime (see `long_frames`). A gate may leave what it found on the case for
the gates after it. All prices on the case are oriented (see `bars`); what is reported to people is turned back. Texts that do
not depend on the case are made once per parameter set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from trading_system.domain.market import Timeframe
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import GateResult, GateState, Regime
from trading_system.domain.tuples import maker_of
from trading_system.strategy.costs import compute_cost_bps
from trading_system.strategy.equal_levels import nearest_equal_highs
from trading_system.strategy.fibonacci import Retracement, classify_retracement
from trading_system.strategy.gate_texts import GateTexts
from trading_system.strategy.long_frames import LONG_GATE_NAMES, REGIME_NOT_TRADEABLE, LongFrames
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.scoring import ScoreFacts, compute_score, score_min
from trading_system.strategy.series import SymbolState
from trading_system.strategy.stops import buffer_atr, distance_bounds, volatility_rank
from trading_system.strategy.targets import nearest_target
from trading_system.strategy.zones import EntryZone, Touch, Zone, classify_touch, is_used, select_entry_zone

DATA_INSUFFICIENT: Final = "DATA_INSUFFICIENT"
DATA_STALE: Final = "DATA_STALE"
NOT_IN_OTE: Final = "entry not in OTE/Key Fib"
PRICE_NOT_AT_ZONE: Final = "PRICE_NOT_AT_ZONE"
STOP_INVALID: Final = "STOP_INVALID"
RR_TOO_LOW: Final = "RR_TOO_LOW"
SCORE_BELOW_THRESHOLD: Final = "SCORE_BELOW_THRESHOLD"

_result: Final = maker_of(GateResult)
_PASSED: Final = GateState.PASSED
_FAILED: Final = GateState.FAILED
# a member of an enum, by name: looked up on its class it costs a call, at every judgement
_TIGHT: Final = Regime.TIGHT_SMC
_QUARTER_MS: Final = Timeframe.M15.ms
_FOUR_HOURS_MS: Final = Timeframe.H4.ms


class Case:
    """One judgement in the making, from the quarter on. Attributes without a default are set by the gate that finds them."""

    __slots__ = (
        "atr_15m",
        "cost_bps",
        "costs",
        "entry_zone",
        "live_zones",
        "long",
        "parameters",
        "price",
        "retracement",
        "reward_risk",
        "risk",
        "score",
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
    costs: StrategyCosts
    long: LongFrames
    price: float
    # set by the gates, in order
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

    def __init__(self, state: SymbolState, parameters: SmcParameters, texts: GateTexts, costs: StrategyCosts, long: LongFrames) -> None:
        self.state = state
        self.parameters = parameters
        self.texts = texts
        self.costs = costs
        self.long = long
        self.price = long.sign * state.quarters.close


def check_data(state: SymbolState, p: SmcParameters, texts: GateTexts, at_ms: int) -> GateResult:
    """Enough closed bars, and a 4h bar that is not old. Days are not counted here: their lack makes the bias neutral."""
    four_hours, required = state.four_hours, texts.data
    if four_hours.count < p.bars_4h_min or state.hours.count < p.bars_1h_min or state.quarters.count < p.bars_15m_min:
        counts = (("4h", four_hours, p.bars_4h_min), ("1h", state.hours, p.bars_1h_min), ("15m", state.quarters, p.bars_15m_min))
        name, have, need = next((name, series.count, need) for name, series, need in counts if series.count < need)
        return _result(("data", _FAILED, required, f"{have} {name} bars", float(need - have), DATA_INSUFFICIENT))
    age_ms = at_ms - four_hours.last_open_ms - _FOUR_HOURS_MS
    if age_ms > p.age_of_4h_close_max_ms:
        late_h = (age_ms - p.age_of_4h_close_max_ms) / 3_600_000
        return _result(("data", _FAILED, required, f"4h bar closed {age_ms / 3_600_000:.2f} h ago", late_h, DATA_STALE))
    return _result(("data", _PASSED, required, age_ms / 3_600_000, 0.0, None))


def check_regime(case: Case) -> GateResult:
    """What was used waits: a used zone that nothing has mitigated keeps the leg tight, it does not turn wide."""
    long, used = case.long, case.state.used
    if not used:
        case.live_zones = long.unmitigated
        return long.regime_result
    at_ms = case.state.quarters.last_open_ms + _QUARTER_MS
    case.live_zones = [zone for zone in long.unmitigated if not is_used(zone.zone_id, used, at_ms)]
    is_tight = long.regime is _TIGHT
    is_waiting = not case.live_zones if is_tight else is_used(long.broken.band_id, used, at_ms)
    if is_waiting:
        actual = case.texts.waiting_tight if is_tight else case.texts.waiting_wide
        return _result(("regime", _FAILED, case.texts.regime, actual, None, REGIME_NOT_TRADEABLE))
    return long.regime_result


def check_retracement(case: Case) -> GateResult:
    p = case.parameters
    is_tight = case.long.regime is _TIGHT
    required = case.texts.retracement_tight if is_tight else case.texts.retracement_wide
    found = classify_retracement(
        case.price,
        case.long.dealing_range,
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
    case.tolerance = min(p.touch_tolerance_price_fraction_max * abs(price), p.touch_tolerance_atr_4h * case.long.atr_4h)
    zone = select_entry_zone(case.live_zones, price, case.tolerance) if case.long.regime is _TIGHT else _band(case)
    if zone is None:
        return _result(("zone_touch", _FAILED, case.texts.touch, "no entry zone", None, PRICE_NOT_AT_ZONE))
    quarters = case.state.quarters
    low = quarters.low if case.long.sign > 0 else -quarters.high
    case.entry_zone = zone
    case.touch = classify_touch(case.long.sign * quarters.open, low, price, zone, case.tolerance)
    actual = case.long.sign * low
    if not case.touch.is_touched:
        return _result(("zone_touch", _FAILED, case.texts.touch, actual, case.touch.gap, PRICE_NOT_AT_ZONE))
    return _result(("zone_touch", _PASSED, case.texts.touch, actual, 0.0, None))


def _band(case: Case) -> EntryZone:
    """The entry zone of a wide setup: the OTE band."""
    broken, p = case.long.broken, case.parameters
    dealing_range = case.long.dealing_range
    low, high = dealing_range.level(p.ote_high), dealing_range.level(p.ote_low)
    swing = case.state.hours.newest_low_in(case.long.sign, dealing_range.low, low)
    return EntryZone(low, high, dealing_range.low if swing is None else swing, (broken.band_id,))


def check_stop(case: Case) -> GateResult:
    p, numbers = case.parameters, case.long.numbers
    case.atr_15m = case.state.quarters.atr.value
    case.cost_bps = compute_cost_bps(case.costs, case.long.sign, numbers.hold_hours)
    rank = volatility_rank(case.state.four_hours.ratios, values_min=p.volatility_rank_values_min, default=p.volatility_rank_default)
    buffer = buffer_atr(rank, numbers.stop_atr_min, numbers.stop_atr_max)
    case.stop = case.entry_zone.invalidation - buffer * case.long.atr_4h
    case.risk = case.price - case.stop
    smallest, largest = distance_bounds(
        case.price,
        case.atr_15m,
        case.cost_bps,
        atr_15m_min=p.stop_atr_15m_min,
        cost_multiple_min=numbers.stop_cost_multiple_min,
        fraction_max=p.stop_distance_fraction_max,
    )
    required = case.texts.stop_tight if case.long.regime is _TIGHT else case.texts.stop_wide
    if not case.risk > 0.0 or not smallest <= case.risk <= largest:
        distance = smallest - case.risk if case.risk < smallest else case.risk - largest
        return _result(("stop", _FAILED, required, case.risk, distance, STOP_INVALID))
    return _result(("stop", _PASSED, required, case.risk, 0.0, None))


def check_reward(case: Case) -> GateResult:
    p, state = case.parameters, case.state
    at_least = case.price + p.target_reward_risk_min * case.risk
    hourly = state.hours.highs_of(case.long.sign)
    target = nearest_target(
        (
            case.long.broken.range_high,
            state.four_hours.structure.untaken_of(case.long.sign).nearest(at_least),
            nearest_equal_highs(
                hourly.untaken,
                first_index=state.hours.count - p.equal_levels_bars_1h,
                tolerance=p.equal_levels_atr_4h * case.long.atr_4h,
                at_least=at_least,
            ),
        ),
        at_least,
    )
    required = case.texts.reward_tight if case.long.regime is _TIGHT else case.texts.reward_wide
    if target is None:
        return _result(("reward", _FAILED, required, "no target", None, RR_TOO_LOW))
    case.target = target
    case.reward_risk = (target - case.price) / case.risk
    missing = case.long.numbers.reward_risk_min - case.reward_risk
    if missing > 0.0:
        return _result(("reward", _FAILED, required, case.reward_risk, missing, RR_TOO_LOW))
    return _result(("reward", _PASSED, required, case.reward_risk, 0.0, None))


def check_score(case: Case) -> GateResult:
    kinds = {zone.kind for zone in case.live_zones}
    case.score = compute_score(
        ScoreFacts(
            regime=case.long.regime,
            has_order_block="ob" in kinds,
            has_fair_value_gap="fvg" in kinds,
            is_in_ote=case.retracement.is_in_ote,
            bias=case.long.bias,
            adx_4h=case.long.adx_4h,
            cost_bps=case.cost_bps,
            is_swept=case.long.broken.is_swept,
            is_tolerance_touch=case.touch.is_tolerance_only,
        ),
        case.parameters,
    )
    missing = score_min(case.long.regime, case.long.bias, case.parameters) - case.score
    required = case.texts.score_of(case.long.regime, case.long.bias)
    if missing > 0.0:
        return _result(("score", _FAILED, required, case.score, missing, SCORE_BELOW_THRESHOLD))
    return _result(("score", _PASSED, required, case.score, 0.0, None))


SHORT_GATES: Final[tuple[Callable[[Case], GateResult], ...]] = (
    check_regime,
    check_retracement,
    check_touch,
    check_stop,
    check_reward,
    check_score,
)
"""What is asked at every quarter, after the data and after what the long frames say (see `long_frames`)."""

GATE_NAMES: Final = ("data", *LONG_GATE_NAMES, "regime", "ote", "zone_touch", "stop", "reward", "score")
"""The whole ladder, in order."""
