"""The daily histogram of blocking gates: each bar once, in the order of the ladder, kept on disk."""

from __future__ import annotations

from pathlib import Path

from trading_system.domain.signals import GateResult, GateState, Ladder, NoSignal
from trading_system.domain.symbols import Symbol
from trading_system.live.gate_days import DAYS_KEPT, GateDays, GateFile, GateRow, rows_of

BTC, ETH = Symbol("BTC/USD"), Symbol("ETH/USD")
DAY = "2026-01-05"
NAMES = ("data", "structure", "bias")


def refused(symbol: Symbol, gate: str, code: str) -> NoSignal:
    at = NAMES.index(gate)
    states = [GateState.PASSED] * at + [GateState.FAILED] + [GateState.NOT_REACHED] * (len(NAMES) - at - 1)
    gates = tuple(GateResult(name, state, "", None, None) for name, state in zip(NAMES, states, strict=True))
    return NoSignal(symbol, 0, code, Ladder(symbol, 0, 1.0, gates))


def test_each_bar_of_a_market_counts_once_however_often_it_is_judged() -> None:
    days = GateDays()
    for _ in range(3):
        days.note(refused(BTC, "bias", "COUNTER_BIAS"), 900, DAY)
    days.note(refused(ETH, "bias", "COUNTER_BIAS"), 900, DAY)
    days.note(refused(BTC, "bias", "COUNTER_BIAS"), 1800, DAY)

    assert days.days[DAY].judged == 3
    assert days.top(DAY) == GateRow("bias", "COUNTER_BIAS", 3, 3)
    assert days.top("2026-01-06") is None


def test_shares_are_of_the_judgements_that_came_as_far_as_the_gate() -> None:
    days = GateDays()
    for number, (gate, code) in enumerate(
        [("data", "DATA_STALE"), ("structure", "A"), ("structure", "A"), ("structure", "B"), ("bias", "C")]
    ):
        days.note(refused(BTC, gate, code), number, DAY)

    rows = rows_of(days.days[DAY])

    assert rows == (
        GateRow("data", "DATA_STALE", 1, 5), GateRow("structure", "A", 2, 4), GateRow("structure", "B", 1, 4), GateRow("bias", "C", 1, 1),
    )  # fmt: skip
    assert [row.share for row in rows] == [0.2, 0.5, 0.25, 1.0]


def test_a_restart_neither_forgets_the_day_nor_counts_its_last_bar_twice(tmp_path: Path) -> None:
    file, days = GateFile(tmp_path / "gate_days.json"), GateDays()
    days.note(refused(BTC, "bias", "COUNTER_BIAS"), 900, DAY)
    assert file.write(days.encoded()) is None

    again = file.load()
    again.note(refused(BTC, "bias", "COUNTER_BIAS"), 900, DAY)
    again.note(refused(BTC, "data", "DATA_STALE"), 1800, DAY)

    assert (again.days[DAY].judged, again.days[DAY].stopped) == (2, {"bias": {"COUNTER_BIAS": 1}, "data": {"DATA_STALE": 1}})


def test_old_days_go_and_a_file_that_cannot_be_read_begins_anew(tmp_path: Path) -> None:
    days = GateDays()
    for number in range(DAYS_KEPT + 5):
        days.note(refused(BTC, "bias", "C"), number, f"{2000 + number}-01-01")
    assert len(days.days) == DAYS_KEPT
    assert "2000-01-01" not in days.days

    (tmp_path / "gate_days.json").write_text('{"version": 9}')
    assert GateFile(tmp_path / "gate_days.json").load().days == {}
    assert GateFile(tmp_path / "away.json").load().days == {}
    assert GateFile(tmp_path / "gate_days.json" / "below").write(b"{}") is not None
