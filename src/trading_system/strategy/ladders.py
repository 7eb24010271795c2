"""Builds the gate ladder of one judgement, for strategies that check their gates one after the other in plain code.

The trap it avoids: a gate that is skipped by an early return would be missing from the ladder, and "why was there no signal"
would have another shape every time. Here the rungs are fixed; what was not checked is told as not reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trading_system.domain.signals import GateResult, GateState, Ladder, NoSignal
from trading_system.domain.symbols import Symbol


class Rung(NamedTuple):
    """A gate by name, and what it requires, written for people."""

    name: str
    required: str


class LadderDraft:
    """One judgement in the making: call `check` once per rung, in their order; the first failure ends it."""

    __slots__ = ("_at_ms", "_price", "_results", "_rungs", "_symbol")

    def __init__(self, symbol: Symbol, at_ms: int, price: float | None, rungs: Sequence[Rung]) -> None:
        """at_ms: close of the judged 15m bar; price: its close, None when there is none."""
        self._symbol, self._at_ms, self._price, self._rungs = symbol, at_ms, price, rungs
        self._results: list[GateResult] = []

    def check(self, is_passed: bool, reason_code: str, actual: float | str | None = None, distance: float | None = None) -> bool:
        """Judge the next rung and return `is_passed`. distance: how far from passing, in the unit of `actual`; told when it fails.

        Raises IndexError after the last rung, and ValueError after a failure: a ladder has one blocking gate.
        """
        if self._results and self._results[-1].state is GateState.FAILED:
            raise ValueError(f"gate {self._results[-1].name} failed; nothing is checked after it")
        rung = self._rungs[len(self._results)]
        if is_passed:
            self._results.append(GateResult(rung.name, GateState.PASSED, rung.required, actual, 0.0))
        else:
            self._results.append(GateResult(rung.name, GateState.FAILED, rung.required, actual, distance, reason_code))
        return is_passed

    def ladder(self) -> Ladder:
        """The whole ladder; rungs that were not checked are not reached."""
        rest = [GateResult(rung.name, GateState.NOT_REACHED, rung.required, None, None) for rung in self._rungs[len(self._results) :]]
        return Ladder(self._symbol, self._at_ms, self._price, (*self._results, *rest))

    def refusal(self) -> NoSignal:
        """The answer after a failed `check`; ValueError when nothing failed."""
        ladder = self.ladder()
        if ladder.blocking is None or ladder.blocking.reason_code is None:
            raise ValueError("no gate failed: this is no refusal")
        return NoSignal(self._symbol, self._at_ms, ladder.blocking.reason_code, ladder)
