"""4h structure on bars made by hand, with pivots of one bar on each side so that a page of numbers suffices."""

from __future__ import annotations

from dataclasses import replace

from strategy_builders import bars_of
from trading_system.domain.market import Timeframe
from trading_system.strategy.bars import negated
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.structure import Break, BreakKind, Structure
from trading_system.strategy.zones import unmitigated_zones

P = replace(SmcParameters(), swing_bars_4h=1, displacement_median_bars=2, break_age_bars_max=5)

RISE = [
    (10.0, 11.0, 9.5, 10.5),
    (10.5, 12.0, 10.2, 11.0),  # 1: swing high 12
    (11.0, 11.2, 9.0, 9.5),  # 2: falls, protected low 9
    (9.5, 10.0, 9.2, 9.8),
    (9.8, 12.8, 9.7, 12.5),  # 4: closes above 12
]
"""Swing high 12 (bar 1), low 9 (bar 2), break at bar 4."""


def structure_after(
    rows: list[tuple[float, float, float, float]], *, is_mirrored: bool = False, parameters: SmcParameters = P
) -> Structure:
    structure = Structure.empty(parameters)
    for bar in bars_of(rows):
        structure.update(negated(bar) if is_mirrored else bar, parameters)
    return structure


def ruling(structure: Structure) -> Break:
    found = structure.ruling()
    assert found is not None
    return found


def test_first_close_above_a_swing_high_sets_the_structure() -> None:
    one = ruling(structure_after(RISE))

    assert (one.sign, one.index, one.kind) == (1, 4, BreakKind.BOS)
    assert one.protected_low == 9.0
    assert one.dealing_range == (9.0, 12.8)


def test_nothing_is_said_before_the_break_bar_closed() -> None:
    assert structure_after(RISE[:-1]).ruling() is None


def test_wick_above_the_swing_is_no_break() -> None:
    assert structure_after([*RISE[:-1], (9.8, 12.8, 9.7, 11.9)]).ruling() is None


def test_range_grows_with_later_highs() -> None:
    assert ruling(structure_after([*RISE, (12.5, 14.0, 12.4, 13.0)])).dealing_range == (9.0, 14.0)


STAIRS = [
    (8.5, 11.0, 8.0, 10.0),
    (10.0, 12.0, 9.0, 11.0),  # 1: swing high 12, protected low 9
    (11.0, 11.5, 9.1, 11.2),
    (11.2, 12.8, 9.2, 12.5),  # 3: break
    (12.5, 14.0, 10.0, 13.0),  # 4: swing high 14, protected low 10
    (13.0, 13.5, 10.1, 13.2),
    (13.2, 14.6, 10.2, 14.5),  # 6: break
]
"""Two breaks without any swing low, so that no opposite break interferes."""


def test_close_below_the_protected_low_invalidates_and_a_wick_does_not() -> None:
    assert ruling(structure_after([*STAIRS[:4], (12.5, 12.6, 8.0, 9.0)])).index == 3
    assert structure_after([*STAIRS[:4], (12.5, 12.6, 8.0, 8.9)]).ruling() is None


def test_break_rules_up_to_its_age_limit() -> None:
    quiet = [(12.5, 12.6, 12.4, 12.5)] * 5
    assert structure_after([*RISE, *quiet]).ruling() is not None
    assert structure_after([*RISE, *quiet, quiet[0]]).ruling() is None


def test_second_break_rules_and_the_older_one_rules_again_when_it_is_invalidated() -> None:
    structure = structure_after(STAIRS)
    assert (ruling(structure).index, ruling(structure).protected_low) == (6, 10.0)

    structure = structure_after([*STAIRS, (14.5, 14.6, 9.5, 9.9)])
    assert (ruling(structure).index, ruling(structure).protected_low) == (3, 9.0)
    assert ruling(structure).dealing_range.high == 14.6


def test_older_break_rules_at_its_own_age() -> None:
    later = [*STAIRS, *[(14.5, 14.6, 13.9, 14.2)] * 3, (14.2, 14.6, 9.5, 9.9)]  # bar 10: break 3 is seven bars old
    assert structure_after(later).ruling() is None


def test_opposite_break_invalidates_all_and_is_a_change_of_character() -> None:
    structure = structure_after([*RISE, (12.5, 12.6, 8.0, 8.5)])  # closes below the swing low of bar 2

    one = ruling(structure)
    assert (one.sign, one.kind, one.protected_low) == (-1, BreakKind.CHOCH, -12.8)
    assert structure.long.breaks == []


def test_mirrored_bars_give_the_mirrored_break() -> None:
    for rows in (RISE, STAIRS, GAP):
        plain, mirrored = ruling(structure_after(rows)), ruling(structure_after(rows, is_mirrored=True))
        assert mirrored.sign == -plain.sign
        assert (mirrored.index, mirrored.kind, mirrored.dealing_range) == (plain.index, plain.kind, plain.dealing_range)


def test_order_block_is_the_last_falling_bar_before_a_displacement() -> None:
    zones = ruling(structure_after(RISE)).zones
    blocks = [(zone.low, zone.high) for zone in zones if zone.kind == "ob"]
    assert blocks == [(9.0, 11.2)]  # bar 2; bar 4 has range 3.1 against a median of 1.5


def test_no_order_block_without_displacement() -> None:
    calm = replace(P, displacement_range_multiple=5.0)
    assert [zone for zone in ruling(structure_after(RISE, parameters=calm)).zones if zone.kind == "ob"] == []


GAP = [*RISE[:3], (9.5, 10.0, 9.2, 9.8), (9.8, 12.2, 9.7, 12.1), (12.1, 13.0, 11.0, 12.8)]
"""Bar 5 leaves the gap 10..11 over the break bar 4."""


def test_gap_over_the_break_bar_counts_once_the_bar_after_it_is_closed() -> None:
    assert [zone for zone in ruling(structure_after(GAP[:-1])).zones if zone.kind == "fvg"] == []
    (gap,) = [zone for zone in ruling(structure_after(GAP)).zones if zone.kind == "fvg"]

    assert (gap.low, gap.high) == (10.0, 11.0)
    assert gap.known_ms == bars_of(GAP)[-1].open_ms + Timeframe.H4.ms


def test_zone_lives_until_a_wick_reaches_its_midpoint_and_is_read_as_of_a_moment() -> None:
    rows = [*GAP, (12.8, 12.9, 10.6, 12.0), (12.0, 12.1, 10.5, 11.9)]
    (gap,) = [zone for zone in ruling(structure_after(rows)).zones if zone.kind == "fvg"]
    before, after = (bar.open_ms + Timeframe.H4.ms for bar in bars_of(rows)[-2:])

    assert unmitigated_zones([gap], before) == [gap]
    assert unmitigated_zones([gap], after) == []
    assert unmitigated_zones([gap], gap.known_ms - 1) == []


def test_gap_that_was_filled_on_the_way_to_the_break_never_becomes_a_zone() -> None:
    def gaps_when_pullback_reaches(low: float) -> list[tuple[float, float]]:
        rows = [
            (11.0, 12.0, 9.0, 10.0),
            (10.0, 15.0, 9.5, 10.0),  # 1: swing high 15
            (10.0, 10.1, 8.0, 9.0),  # 2: protected low 8
            (9.0, 12.0, 8.9, 11.9),
            (11.9, 13.0, 11.5, 12.0),  # 4: leaves the gap 10.1..11.5 with its middle at 10.8
            (12.0, 13.1, low, 12.0),
            (12.0, 16.0, 11.9, 15.5),  # 6: break
        ]
        one = ruling(structure_after(rows))
        assert (one.index, one.protected_low) == (6, 8.0)
        return [(zone.low, zone.high) for zone in one.zones if zone.kind == "fvg"]

    assert gaps_when_pullback_reaches(10.9) == [(10.1, 11.5)]
    assert gaps_when_pullback_reaches(10.8) == []


def test_sweep_before_the_break_is_remembered_on_it() -> None:
    rows = [*RISE[:4], (9.8, 10.4, 9.6, 10.0), (10.0, 10.3, 8.8, 9.9), (9.9, 12.8, 9.8, 12.5)]  # bar 5 sweeps the low of bar 2
    assert ruling(structure_after(rows)).is_swept
    assert not ruling(structure_after(RISE)).is_swept
