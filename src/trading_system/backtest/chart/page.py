"""One self-contained HTML page from a record: data, style and script inline, nothing loaded from anywhere."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Final

from trading_system.backtest.chart.recording import BreakKey, KnownBreak, KnownSignal, Record
from trading_system.domain.market import Bar
from trading_system.domain.signals import Decision, GateState

_DIGITS: Final = 6
"""Significant digits of what a gate saw; prices are written in full."""


def page_of(found: Record, title: str, note: str) -> str:
    """The page as text. `note`: one line for the reader about what was assumed."""
    assets = files("trading_system.backtest.chart") / "assets"
    style, script, frame = ((assets / name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html"))
    data = json.dumps(data_of(found, title, note), separators=(",", ":"), allow_nan=False)
    # "</script>" in a text must not end the element
    parts = {"@style@": style, "@script@": script, "@data@": data.replace("<", "\\u003c")}
    for name, text in parts.items():
        frame = frame.replace(name, text)
    return frame


def data_of(found: Record, title: str, note: str) -> dict[str, Any]:
    """The record as JSON. Rows are lists to keep the page small; page.js names their columns."""
    keys = {key: number for number, key in enumerate(found.breaks)}
    texts = _Texts()
    return {
        "title": title,
        "note": note,
        "symbol": found.symbol,
        "start": found.start_ms,
        "ote": [found.parameters.ote_low, found.parameters.ote_high],
        "q": _columns(found.quarters),
        "f": _columns(found.four_hours),
        "swings": [[one.seen.open_ms, one.seen.price, int(one.seen.is_high), one.known_ms] for one in found.swings],
        "sweeps": [[one.open_ms, one.seen.price, one.seen.sign, one.known_ms, one.seen.swing_open_ms] for one in found.sweeps],
        "breaks": [_break_row(one) for one in found.breaks.values()],
        "zones": [row for key, one in found.breaks.items() for row in _zone_rows(keys[key], one)],
        "ranges": [[one.known_ms, _number(keys, one.ruling), one.low, one.high] for one in found.ranges],
        "signals": [_signal_row(one) for one in found.signals],
        "gates": [gate.name for gate in found.decisions[0].ladder.gates] if found.decisions else [],
        "ladders": [_ladder_row(one, texts) for one in found.decisions],
        "texts": texts.all,
    }


class _Texts:
    """Each text once; rows hold its number."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        if text not in self._numbers:
            self._numbers[text] = len(self.all)
            self.all.append(text)
        return self._numbers[text]


def _number(keys: dict[BreakKey, int], key: BreakKey | None) -> int:
    return -1 if key is None else keys[key]


def _columns(bars: list[Bar]) -> list[list[float]]:
    return [[bar[column] for bar in bars] for column in range(5)]


def _break_row(one: KnownBreak) -> list[Any]:
    broken = one.broken
    return [
        one.seen.open_ms,
        one.seen.sign,
        one.seen.kind.value,
        None if broken is None else broken.price,
        None if broken is None else broken.open_ms,
        one.known_ms,
        one.seen.protected,
        one.ended_ms,
    ]


def _zone_rows(number: int, one: KnownBreak) -> list[list[Any]]:
    return [
        [
            number,
            zone.seen.kind,
            zone.seen.open_ms,
            zone.seen.low,
            zone.seen.high,
            max(zone.seen.known_ms, one.known_ms),
            zone.mitigated_ms,
            zone.used_ms,
        ]
        for zone in one.zones.values()
    ]


def _signal_row(one: KnownSignal) -> list[Any]:
    s = one.signal
    return [
        s.at_ms,
        s.direction.sign,
        s.entry_price,
        s.stop_price,
        s.target_price,
        round(s.score, 1),
        round(s.reward_risk, 2),
        s.setup,
        s.regime.value,
        int(one.is_acted_on),
    ]


def _ladder_row(decision: Decision, texts: _Texts) -> list[Any]:
    """[number of the failed gate or -1, then for each reached gate: number of its text, what it saw]."""
    failed = next((number for number, gate in enumerate(decision.ladder.gates) if gate.state is GateState.FAILED), -1)
    row: list[Any] = [failed]
    for gate in decision.ladder.gates:
        if gate.state is not GateState.NOT_REACHED:
            seen = float(f"{gate.actual:.{_DIGITS}g}") if isinstance(gate.actual, float) else gate.actual
            row += [texts.number(gate.required), seen]
    return row
