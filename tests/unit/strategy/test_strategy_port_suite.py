"""The contract suite of the Strategy port finds planted errors: each cheat below fails exactly the check that is meant for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest

import strategy_port_suite as suite
from strategy_port_suite import PortCase
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.protocols import StrategyCosts
from trading_system.domain.signals import Decision, Emitted, GateState, NoSignal, Signal
from trading_system.domain.symbols import Symbol
from trading_system.strategy import donchian
from trading_system.strategy.donchian import DonchianParameters, DonchianStrategy
from trading_system.strategy.placebo import PlaceboStrategy

RULE = DonchianParameters(channel_bars=12, bars_4h_min=15, bars_15m_min=15)


class Honest(DonchianStrategy):
    """What every cheat is made of."""

    def __init__(self) -> None:
        super().__init__(RULE)


def shifted(answer: Decision, factor: float) -> Decision:
    """The same answer with another score: small, but another answer."""
    return replace(answer, score=answer.score * factor) if isinstance(answer, Signal) else answer


class KeepsWhatAnotherRunSaw(Honest):
    """A cache on the class, as of a file that was read once: the second run knows the first one's last price."""

    last_closes: ClassVar[dict[Symbol, dict[int, float]]] = {}

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        super().update(symbol, timeframe, bar)
        if timeframe is Timeframe.M15:
            self.last_closes.setdefault(symbol, {})[bar.open_ms] = bar.close

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        answer = super().decide(symbol, at_ms, costs)
        later = self.last_closes.get(symbol, {}).get(at_ms + 40 * Timeframe.M15.ms)
        return answer if later is None else shifted(answer, 0.9)


class CountsQuestions(Honest):
    asked = 0

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        self.asked += 1
        return shifted(super().decide(symbol, at_ms, costs), 1.0 / self.asked)


class ThrowsDice(Honest):
    numbers = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.luck = 1.0 / next(self.numbers)

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        return shifted(super().decide(symbol, at_ms, costs), self.luck)


class ForgetsItsMarks(Honest):
    def mark_emitted(self, signal: Emitted) -> None:
        """Says yes and does nothing."""


class MarksAtOnce(Honest):
    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        answer = super().decide(symbol, at_ms, costs)
        if isinstance(answer, Signal):
            self.mark_emitted(replace(answer, at_ms=answer.at_ms - 1))
        return answer


class JudgesWhileBarsArrive(Honest):
    """Remembers the 4h break it knew when the 15m bar came, whether or not the 4h bar of that close was there yet."""

    seen = 0

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        super().update(symbol, timeframe, bar)
        if timeframe is Timeframe.M15 and symbol in self._markets:
            self.seen = self._markets[symbol].run_open_ms

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        answer = super().decide(symbol, at_ms, costs)
        return shifted(answer, 0.5) if isinstance(answer, Signal) and str(self.seen) not in answer.zone_ids[0] else answer


class LikesLongs(Honest):
    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        answer = super().decide(symbol, at_ms, costs)
        return shifted(answer, 1.0 if isinstance(answer, Signal) and answer.direction.sign > 0 else 0.9)

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        self.ingest(symbol, timeframe, bar)


class MixesMarkets(Honest):
    fed: Symbol | None = None

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        super().update(symbol, timeframe, bar)
        self.fed = self.fed or symbol

    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        answer = super().decide(symbol, at_ms, costs)
        return answer if self.fed == symbol else shifted(answer, 0.5)


class NeverForgets(Honest):
    def forget(self, symbol: Symbol) -> None:
        """Keeps everything."""


class TakesAnyBar(Honest):
    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        self.ingest(symbol, timeframe, bar)


class Hoards(Honest):
    def __init__(self) -> None:
        super().__init__()
        self.all: list[Bar] = []

    def update(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
        super().update(symbol, timeframe, bar)
        self.all.append(bar)


class EndsItsLadderEarly(Honest):
    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        answer = super().decide(symbol, at_ms, costs)
        reached = tuple(gate for gate in answer.ladder.gates if gate.state is not GateState.NOT_REACHED)
        ladder = answer.ladder._replace(gates=reached)
        return replace(answer, ladder=ladder) if isinstance(answer, Signal) else answer._replace(ladder=ladder)


class InventsACode(Honest):
    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        answer = super().decide(symbol, at_ms, costs)
        return answer._replace(reason_code="SOMETHING") if isinstance(answer, NoSignal) else answer


class StopsOnTheWrongSide(Honest):
    def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
        answer = super().decide(symbol, at_ms, costs)
        return replace(answer, stop_price=answer.target_price) if isinstance(answer, Signal) else answer


CHECKS: dict[str, Callable[[PortCase], Any]] = {
    "future": lambda case: suite.check_the_future_changes_nothing(case, 0, 1_500, 3),
    "restart": lambda case: suite.check_a_warm_up_decides_as_live_did(case, 0, 1_200),
    "order": lambda case: suite.check_bars_that_close_together_come_in_any_order(case, 0),
    "twice": lambda case: suite.check_two_instances_and_two_questions_agree(case, 0),
    "used": lambda case: suite.check_a_setup_that_was_acted_on_gives_no_second_signal(case, 0),
    "mirror": lambda case: suite.check_mirrored_prices_give_mirrored_answers(case, 0, 0.1),
    "markets": lambda case: suite.check_markets_do_not_know_of_each_other(case, 0, 3),
    "forget": lambda case: suite.check_forget_begins_anew(case, 0),
    "garbage": lambda case: suite.check_garbage_leaves_no_trace(case, 0),
    "ladder": lambda case: suite.check_ladders_are_well_formed(case, 0),
    "memory": lambda case: suite.check_memory_is_bounded(case, 0),
}


@pytest.mark.parametrize(
    ("cheat", "check"),
    [
        (KeepsWhatAnotherRunSaw, "future"),
        (CountsQuestions, "restart"),
        (CountsQuestions, "twice"),
        (ThrowsDice, "twice"),
        (ForgetsItsMarks, "used"),
        (MarksAtOnce, "twice"),
        (JudgesWhileBarsArrive, "order"),
        (LikesLongs, "mirror"),
        (MixesMarkets, "markets"),
        (NeverForgets, "forget"),
        (TakesAnyBar, "garbage"),
        (EndsItsLadderEarly, "ladder"),
        (InventsACode, "ladder"),
        (StopsOnTheWrongSide, "ladder"),
        (Hoards, "memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_planted_error_fails_the_check_that_is_meant_for_it(cheat: Callable[[], Any], check: str) -> None:
    with pytest.raises(AssertionError):
        CHECKS[check](PortCase("cheat", cheat, donchian.REASON_CODES, cheat))


@pytest.mark.parametrize("check", [name for name in CHECKS if name != "mirror"])
def test_the_same_strategy_without_an_error_passes_that_check(check: str) -> None:
    CHECKS[check](PortCase("honest", Honest, donchian.REASON_CODES))


def test_a_placebo_that_follows_while_being_asked_would_be_found() -> None:
    """The easy way to write it, with the schedule kept by `decide`, decides otherwise after a restart."""

    class FollowsWhenAsked(PlaceboStrategy):
        def ingest(self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> None:
            market = self._markets.get(symbol)
            if market is not None:
                market.unjudged_ms = None
            super().ingest(symbol, timeframe, bar)

        def decide(self, symbol: Symbol, at_ms: int, costs: StrategyCosts) -> Decision:
            market = self._markets.get(symbol)
            if market is not None and market.unjudged_ms is not None:
                self._follow(symbol, market, market.unjudged_ms)
            return super().decide(symbol, at_ms, costs)

    case = PortCase("placebo", lambda: FollowsWhenAsked(Honest()), frozenset())

    def restart_now_and_then() -> None:
        for cut in range(700, 2_200, 100):
            suite.check_a_warm_up_decides_as_live_did(case, 0, cut)

    with pytest.raises(AssertionError):
        restart_now_and_then()
