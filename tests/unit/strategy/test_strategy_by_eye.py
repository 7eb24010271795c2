"""What each detector says of a chart anybody can draw. `|` wick, `O` rising body, `X` falling body; a cell is one price unit.

Each drawing is read as it stands and upside down, where highs are lows and a rise is a fall: both sides must see the same.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from strategy_builders import START_MS
from trading_system.domain.market import Bar, Timeframe
from trading_system.strategy.equal_levels import nearest_equal_highs
from trading_system.strategy.inspection import SeenBar, StructureWatch
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.series import HourlySide, Hours
from trading_system.strategy.structure import BreakKind, Structure

H4 = Timeframe.H4
P = replace(SmcParameters(), swing_bars_4h=1, swing_bars_1h=1, displacement_median_bars=2)
FLOOR = 100.0
"""Price of the lower edge of the lowest row: far above zero, so that upside down is positive too."""


def bars_of(drawing: str, timeframe: Timeframe = H4, *, upside_down: bool = False) -> list[Bar]:
    """The bars of a drawing, left to right; upside down round FLOOR + half its height."""
    rows = [row for row in drawing.splitlines() if row.strip()]
    width, height = max(map(len, rows)), len(rows)
    bars = []
    for column in range(width):
        cells = [row[column] if column < len(row) else " " for row in rows]
        marks = {height - 1 - number: cell for number, cell in enumerate(cells) if cell != " "}
        if not marks:
            continue
        body = [level for level, cell in marks.items() if cell in "OX"]
        low, high = FLOOR + min(marks), FLOOR + max(marks) + 1
        bottom, top = FLOOR + min(body), FLOOR + max(body) + 1
        opened, closed = (bottom, top) if marks[body[0]] == "O" else (top, bottom)
        if upside_down:
            turn = 2 * FLOOR + height
            opened, closed, high, low = turn - opened, turn - closed, turn - low, turn - high
        bars.append(Bar(START_MS + len(bars) * timeframe.ms, opened, high, low, closed, 1.0))
    return bars


def seen(drawing: str, *, upside_down: bool) -> list[SeenBar]:
    structure = Structure.empty(P)
    watch, told = StructureWatch(structure), []
    for bar in bars_of(drawing, upside_down=upside_down):
        structure.update(bar, P)
        told.append(watch.look())
    return told


def level(drawing: str, units: float, *, upside_down: bool) -> float:
    """A price named by its height in the drawing."""
    height = len([row for row in drawing.splitlines() if row.strip()])
    return FLOOR + height - units if upside_down else FLOOR + units


def number_of(open_ms: int) -> int:
    return (open_ms - START_MS) // H4.ms


both_ways = pytest.mark.parametrize("upside_down", [False, True], ids=["upright", "upside down"])

SWING = """
 |
 O|
OOX|
|  X
"""


@both_ways
def test_a_swing_is_the_middle_of_three_and_known_when_the_third_has_closed(upside_down: bool) -> None:
    told = seen(SWING, upside_down=upside_down)

    assert [one.swings for one in told[:2]] == [(), ()]
    (swing,) = told[2].swings
    assert (swing.is_high, number_of(swing.open_ms), swing.price) == (not upside_down, 1, level(SWING, 4, upside_down=upside_down))


BREAK = """
     O
     O
 |   O
 OX  O
OO|XOO
|  XO
   |
"""
"""Swing of height 5 at bar 1, the low at bar 3, a close above the swing at bar 5."""


@both_ways
def test_the_first_close_beyond_a_swing_is_a_bos_with_its_dealing_range(upside_down: bool) -> None:
    told = seen(BREAK, upside_down=upside_down)

    assert [one.breaks for one in told[:5]] == [()] * 5
    (one,) = told[5].breaks
    assert (one.sign, one.kind) == (-1 if upside_down else 1, BreakKind.BOS)
    assert told[5].broken is not None
    assert (number_of(told[5].broken.open_ms), told[5].broken.price) == (1, level(BREAK, 5, upside_down=upside_down))
    assert sorted((one.low, one.high)) == sorted(level(BREAK, units, upside_down=upside_down) for units in (0, 7))
    assert one.protected == level(BREAK, 0, upside_down=upside_down)


@both_ways
def test_the_last_bar_against_the_move_before_a_displacement_is_the_order_block(upside_down: bool) -> None:
    """Bar 5 is five units long, the two before it two; bar 3 is the last that fell, from 3 to 1 with its wick to 0."""
    (one,) = seen(BREAK, upside_down=upside_down)[5].breaks
    (block,) = [zone for zone in one.zones if zone.kind == "ob"]

    assert number_of(block.open_ms) == 3
    assert sorted((block.low, block.high)) == sorted(level(BREAK, units, upside_down=upside_down) for units in (0, 3))


GAP = """
      O
     OO
     O|
     O
 |   O
 OX  O
OO|XOO
|  XO
   |
"""
"""After the break bar (from 2 to 8) a bar whose wick ends at 6: between 3, the high of bar 4, and 6 nobody traded twice."""


@both_ways
def test_three_bars_that_leave_a_hole_are_a_fair_value_gap(upside_down: bool) -> None:
    told = seen(GAP, upside_down=upside_down)

    assert [zone.kind for zone in told[5].breaks[0].zones] == ["ob"]
    (gap,) = [zone for zone in told[6].breaks[0].zones if zone.kind == "fvg"]
    assert sorted((gap.low, gap.high)) == sorted(level(GAP, units, upside_down=upside_down) for units in (3, 6))


CHOCH = """
     O
     OX
 |   OX
 OX  OX
OO|XOOX
|  XO X
   |  X
      X
"""
"""The break of before, then a close below the low of bar 3."""


@both_ways
def test_a_close_beyond_the_other_side_is_a_change_of_character_and_ends_what_was(upside_down: bool) -> None:
    told = seen(CHOCH, upside_down=upside_down)

    assert [one.kind for one in told[5].breaks] == [BreakKind.BOS]
    (one,) = told[6].breaks
    assert (one.sign, one.kind) == (1 if upside_down else -1, BreakKind.CHOCH)
    assert told[6].broken is not None
    assert number_of(told[6].broken.open_ms) == 3


SWEEP = """
X  O
XXOOX
|XO||
 |  |
    |
"""
"""The low at bar 1 (height 1); bar 4 reaches below it and closes back above."""


@both_ways
def test_a_wick_beyond_a_swing_that_closes_back_is_a_sweep(upside_down: bool) -> None:
    told = seen(SWEEP, upside_down=upside_down)

    assert [one.sweeps for one in told[:4]] == [()] * 4
    (sweep,) = told[4].sweeps
    assert (sweep.sign, number_of(sweep.swing_open_ms)) == (-1 if upside_down else 1, 1)
    assert sweep.price == level(SWEEP, 1, upside_down=upside_down)


EQUALS = """
 |  |
 O  O
OOXOOX
|  X |
"""
"""Two peaks of one height, at bars 1 and 4."""


@both_ways
def test_two_untaken_peaks_of_one_height_are_equal_highs_and_upside_down_equal_lows(upside_down: bool) -> None:
    hours = Hours(HourlySide.empty(P), HourlySide.empty(P))
    for bar in bars_of(EQUALS, Timeframe.H1, upside_down=upside_down):
        hours.update(bar)
    sign = -1 if upside_down else 1
    untaken = hours.highs_of(sign).untaken

    assert list(untaken.indices) == [1, 4]
    found = nearest_equal_highs(untaken, first_index=0, tolerance=0.1, at_least=sign * level(EQUALS, 3, upside_down=upside_down))
    assert found == sign * level(EQUALS, 4, upside_down=upside_down)
    assert nearest_equal_highs(untaken, first_index=2, tolerance=0.1, at_least=-1e9) is None
