"""The mode automaton never loosens by itself, and survives its text form at every step."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st

from trading_system.domain.modes import Mode
from trading_system.safety.auto_recovery import RecoveryRules, decide_recovery
from trading_system.safety.invariants import Invariant, Level, Verdict
from trading_system.safety.mode_record import decode_mode_state, encode_mode_state
from trading_system.safety.modes import Halt, ModeRules, ModeState, advance, halt

START = datetime(2025, 3, 3, tzinfo=UTC)
anything = st.lists(st.builds(Verdict, st.sampled_from(Invariant), st.sampled_from(Level)), max_size=3, unique_by=lambda v: v.invariant)
margin = st.builds(Verdict, st.just(Invariant.MARGIN_UTILIZATION), st.sampled_from(Level))
# mostly margin coming and going, so that recoveries happen and run into their daily limit
verdicts = st.one_of(st.just([]), st.just([]), margin.map(lambda v: [v]), margin.map(lambda v: [v]), anything)
steps = st.lists(
    st.tuples(
        st.integers(-100, 7200),  # seconds, also backwards
        verdicts,
        st.sampled_from([None] * 20 + ["operator"]),
        st.sampled_from([D("0.5"), D("0.5"), D("0.5"), D("0.85"), None]),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_only_quiet_clears_degraded_and_only_the_allowed_recovery_ends_a_halt(
    path: list[tuple[int, list[Verdict], str | None, D | None]],
) -> None:
    now, state, recoveries = START, ModeState(), []
    bad_at: dict[Invariant, datetime] = {}
    violated: set[Invariant] = set()
    for seconds, judged, operator, utilization in path:
        now += timedelta(seconds=seconds)
        before = state
        state = advance(state, judged, now, ModeRules())
        if operator is not None:
            state = halt(state, Halt(Mode.KILL_SWITCH, Invariant.OPERATOR, "", operator, now))
        for verdict in judged:
            if verdict.level in (Level.DEGRADED, Level.HALT):
                bad_at[verdict.invariant] = now
                if not verdict.is_unknown:
                    violated.add(verdict.invariant)

        assert state.mode.severity >= before.mode.severity or (before.mode is Mode.DEGRADED and state.mode is Mode.NORMAL)
        if before.mode is Mode.DEGRADED and state.mode is Mode.NORMAL:
            for cause in before.causes:
                assert cause.clears_by_itself
                assert cause.invariant.clears_by_itself or cause.invariant not in violated
                assert cause.clear_since is not None
                assert now - cause.clear_since >= timedelta(seconds=60)
        assert all(verdict.level is not Level.HALT for verdict in judged) or state.mode is Mode.KILL_SWITCH

        recovered = decide_recovery(state, judged, venue_utilization=utilization, kill_file_exists=False, now=now, rules=RecoveryRules())
        if isinstance(recovered, ModeState):
            assert state.halt is not None
            assert (state.halt.invariant, state.halt.by) == (Invariant.MARGIN_UTILIZATION, "invariant")
            assert now - state.halt.since >= timedelta(minutes=5)
            assert utilization is not None
            assert utilization < D("0.85")
            recoveries.append(now)
            assert sum(now - at < timedelta(days=1) for at in recoveries) <= 2
            state = recovered
        assert decode_mode_state(json.loads(json.dumps(encode_mode_state(state)))) == state
