"""The Donchian breakout on hand-made bars: one gate after the other."""

from __future__ import annotations

import pytest

from strategy_builders import COSTS, START_MS, SYMBOL, FixedCosts
from trading_system.domain.errors import ConfigError
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.orders import Direction
from trading_system.domain.signals import Emission, NoSignal, Regime, Signal
from trading_system.strategy.donchian import DonchianParameters, DonchianStrategy

RULE = DonchianParameters(channel_bars=4, bars_4h_min=20, bars_15m_min=20)
H4, M15 = Timeframe.H4, Timeframe.M15
QUIET_BARS = 24
"""4h bars between 99 and 101 before anything happens."""


class Tape:
    """Feeds a 4h bar together with its sixteen 15m bars, the last of which closes where the 4h bar does."""

    def __init__(self, parameters: DonchianParameters = RULE) -> None:
        self.strategy = DonchianStrategy(parameters)
        self.now_ms = START_MS
        self.last = 100.0
        for _ in range(QUIET_BARS):
            self.four_hours(100.0, 101.0, 99.0)

    def four_hours(self, close: float, high: float | None = None, low: float | None = None) -> None:
        for step in range(16):
            self.quarter(close if step == 15 else self.last)
        top, bottom = max(self.last, close), min(self.last, close)
        bar = Bar(self.now_ms - H4.ms, self.last, max(high or top, top), min(low or bottom, bottom), close, 1.0)
        self.strategy.update(SYMBOL, H4, bar)
        self.last = close

    def quarter(self, close: float) -> None:
        self.strategy.update(SYMBOL, M15, Bar(self.now_ms, close, close + 0.2, close - 0.2, close, 1.0))
        self.now_ms += M15.ms

    def decide(self, costs: FixedCosts = COSTS, late_ms: int = 0) -> Signal | NoSignal:
        return self.strategy.decide(SYMBOL, self.now_ms + late_ms, costs)

    def reason(self) -> str:
        answer = self.decide()
        assert isinstance(answer, NoSignal)
        return answer.reason_code


def test_a_close_above_the_channel_is_a_long_signal_with_the_nearer_of_two_stops() -> None:
    tape = Tape()
    tape.four_hours(101.8)

    signal = tape.decide()

    assert isinstance(signal, Signal)
    assert (signal.direction, signal.regime, signal.at_ms) == (Direction.LONG, Regime.WIDE_STRUCTURE, tape.now_ms)
    # the middle of the channel lies at 100.0; two ATR of about 2 would be further away
    assert (signal.entry_price, signal.stop_price) == (101.8, 100.0)
    assert signal.target_price == pytest.approx(101.8 + 3 * 1.8)
    assert (signal.reward_risk, signal.setup) == (3.0, "donchian break")


def test_a_far_middle_leaves_the_stop_at_two_atr() -> None:
    tape = Tape()
    tape.four_hours(93.0)

    signal = tape.decide()

    assert isinstance(signal, Signal)
    assert signal.direction is Direction.SHORT
    assert signal.stop_price == pytest.approx(93.0 + 2 * signal.atr_4h)
    assert signal.stop_price < 100.0


def test_a_close_at_the_edge_of_the_channel_breaks_nothing() -> None:
    tape = Tape()
    tape.four_hours(101.0)

    assert tape.reason() == "NO_CHANNEL_BREAK"


def test_a_run_of_breaks_is_one_setup_until_a_close_beyond_the_middle_ends_it() -> None:
    tape = Tape()
    tape.four_hours(101.8)
    first = tape.decide()
    assert isinstance(first, Signal)
    tape.strategy.mark_emitted(Emission(SYMBOL, first.at_ms, first.zone_ids))
    assert tape.decide() == first, "a mark counts for later bars only"

    tape.four_hours(103.0)
    assert tape.reason() == "SETUP_USED"
    tape.four_hours(99.9)
    tape.four_hours(104.0)

    second = tape.decide()
    assert isinstance(second, Signal)
    assert second.zone_ids != first.zone_ids


def test_the_entry_must_come_within_the_first_quarters_after_the_break() -> None:
    tape = Tape()
    tape.four_hours(101.8)
    for _ in range(3):
        tape.quarter(101.8)
        assert isinstance(tape.decide(), Signal)
    tape.quarter(101.8)

    assert tape.reason() == "BREAK_NOT_FRESH"


def test_a_quarter_that_closed_before_the_break_is_not_fresh() -> None:
    tape = Tape()
    tape.strategy.update(SYMBOL, H4, Bar(tape.now_ms, 100.0, 103.0, 100.0, 102.5, 1.0))

    assert tape.reason() == "BREAK_NOT_FRESH"


def test_a_price_that_ran_beyond_the_breaking_close_is_not_chased() -> None:
    tape = Tape()
    tape.four_hours(101.8)
    tape.quarter(104.0)

    assert tape.reason() == "PRICE_RAN_AWAY"


def test_a_stop_nearer_than_seven_times_the_cost_is_refused() -> None:
    tape = Tape()
    tape.four_hours(101.8)

    answer = tape.decide(FixedCosts(spread_bps=30.0))

    assert isinstance(answer, NoSignal)
    assert answer.reason_code == "STOP_INVALID"
    assert answer.ladder.blocking is not None
    assert answer.ladder.blocking.distance == pytest.approx(7 * 37e-4 * 101.8 - 1.8)


def test_a_reward_that_costs_eat_is_refused() -> None:
    tape = Tape(DonchianParameters(channel_bars=4, bars_4h_min=20, bars_15m_min=20, target_r=1.6))
    tape.four_hours(101.8)

    assert tape.reason() == "RR_TOO_LOW"


def test_a_4h_bar_that_closed_too_long_ago_is_stale() -> None:
    tape = Tape()
    tape.four_hours(101.8)

    answer = tape.decide(late_ms=5 * 3_600_000 + 1)

    assert isinstance(answer, NoSignal)
    assert answer.reason_code == "DATA_STALE"


@pytest.mark.parametrize(
    "wrong", [{"channel_bars": 0}, {"target_r": 0.0}, {"stop_atr_4h": float("nan")}, {"stop_distance_fraction_max": 1.0}]
)
def test_numbers_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        DonchianParameters(**wrong)  # type: ignore[arg-type]
