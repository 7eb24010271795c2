"""The state file: what was synced survives a death at any byte; what is foreign or damaged is refused."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.kraken_server_rig import KEYS
from trading_system.domain.errors import ConfigError
from trading_system.sim.kraken_server.state_file import StateFile, StateFileDamaged

IDENTITY = {"seed": "7", "start": "2026-09-07"}


@contextmanager
def opened(path: Path, identity: dict[str, str] = IDENTITY) -> Iterator[StateFile]:
    state = StateFile.open(path, identity, lambda: KEYS)
    try:
        yield state
    finally:
        state.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sim" / "exchange.state"


def test_a_new_file_remembers_nothing_but_keeps_its_keys(path: Path) -> None:
    with opened(path) as first:
        assert (first.remembered.snapshot, first.remembered.commits, first.remembered.market_ms) == (None, (), None)
    again = StateFile.open(path, IDENTITY)  # without being told the keys
    again.close()
    assert (again.credentials.key, again.credentials.secret) == (KEYS.key, KEYS.secret)


def test_commits_preferences_and_market_time_come_back_in_order(path: Path) -> None:
    with opened(path) as state:
        state.append({"at_ms": 1, "kind": "send"})
        state.save_preferences({"leverage": {"PF_XBTUSD": "5"}, "pnl_currency": {}})
        state.append({"at_ms": 2, "kind": "cancel"})
        state.mark_time(5)
    with opened(path) as state:
        assert state.remembered.commits == ({"at_ms": 1, "kind": "send"}, {"at_ms": 2, "kind": "cancel"})
        assert state.remembered.preferences == {"leverage": {"PF_XBTUSD": "5"}, "pnl_currency": {}}
        assert state.remembered.market_ms == 5


def test_compaction_keeps_snapshot_and_preferences_and_forgets_older_commits(path: Path) -> None:
    with opened(path) as state:
        state.append({"n": 1})
        state.save_preferences({"leverage": {}, "pnl_currency": {}})
        state.compact({"orders": ["a"]})
        state.append({"n": 2})
    with opened(path) as state:
        assert (state.remembered.snapshot, state.remembered.commits) == ({"orders": ["a"]}, ({"n": 2},))
        assert state.remembered.preferences == {"leverage": {}, "pnl_currency": {}}


def test_a_file_of_another_exchange_is_refused_by_name_and_value(path: Path) -> None:
    with opened(path):
        pass

    with pytest.raises(ConfigError, match=r"made with seed=7, not seed=8"):
        StateFile.open(path, IDENTITY | {"seed": "8"})
    with pytest.raises(ConfigError, match=r"candles=None, not candles=/data"):
        StateFile.open(path, IDENTITY | {"candles": "/data"})


def test_a_second_owner_is_refused(path: Path) -> None:
    with opened(path), pytest.raises(ConfigError, match="another exchange uses this state file"):
        StateFile.open(path, IDENTITY)


def test_damage_before_the_end_is_refused_and_leaves_the_file_alone(path: Path) -> None:
    with opened(path) as state:
        state.append({"n": 1})
        state.append({"n": 2})
    content = path.read_bytes()
    path.write_bytes(content.replace(b'{"n":1}', b'{"n":7}').replace(b'"record":{"n":1}', b'"record":{"n":7}'))

    with pytest.raises(StateFileDamaged, match="damaged at byte"):
        StateFile.open(path, IDENTITY)
    with pytest.raises(StateFileDamaged):  # the refusal released the lock and cut nothing off
        StateFile.open(path, IDENTITY)


def test_a_file_without_a_readable_header_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"")

    with pytest.raises(StateFileDamaged, match="no readable header"):
        StateFile.open(path, IDENTITY)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(min_value=0, max_value=10_000))
def test_a_write_that_stopped_at_any_byte_loses_at_most_the_unfinished_record(tmp_path: Path, cut: int) -> None:
    path = tmp_path / f"cut-{cut}.state"
    path.unlink(missing_ok=True)
    with opened(path) as state:
        header = path.stat().st_size
        for number in range(5):
            state.append({"n": number})
    whole = path.read_bytes()
    path.write_bytes(whole[: header + cut % (len(whole) - header + 1)])
    complete = path.read_bytes()[header:].count(b"\n")

    with opened(path) as state:
        assert state.remembered.commits == tuple({"n": number} for number in range(complete))
        state.append({"n": "next"})
    with opened(path) as state:
        assert state.remembered.commits[-1] == {"n": "next"}


def test_a_torn_clock_is_ignored(path: Path) -> None:
    with opened(path) as state:
        state.mark_time(123)
    path.with_name(path.name + ".clock").write_bytes(b"000000")

    with opened(path) as state:
        assert state.remembered.market_ms is None


def test_after_a_refused_write_nothing_more_is_written(path: Path) -> None:
    """/dev/full refuses every byte; a later success would leave a hole before it."""
    with opened(path) as state:
        state.append({"n": 1})
        good, state._fd = state._fd, os.open("/dev/full", os.O_WRONLY)
        with pytest.raises(OSError, match="No space left"):
            state.append({"n": 2})
        os.close(state._fd)
        state._fd = good
        with pytest.raises(OSError, match="not written since"):
            state.append({"n": 3})
        with pytest.raises(OSError, match="not written since"):
            state.sync()
    with opened(path) as state:
        assert state.remembered.commits == ({"n": 1},)


def test_what_is_appended_during_a_compaction_is_carried_over(path: Path) -> None:
    with opened(path) as state:
        state.append({"n": 1})
        write = state.begin_compaction({"rows": list(range(1_200)), "of": {"a": 1}})
        state.append({"n": 2})
        write()
        state.save_preferences({"leverage": {"PF_XBTUSD": "5"}, "pnl_currency": {}})
        state.finish_compaction()
        state.append({"n": 3})
    with opened(path) as state:
        assert state.remembered.snapshot == {"rows": list(range(1_200)), "of": {"a": 1}}
        assert state.remembered.commits == ({"n": 2}, {"n": 3})
        assert state.remembered.preferences == {"leverage": {"PF_XBTUSD": "5"}, "pnl_currency": {}}


def test_a_compaction_that_did_not_end_leaves_the_old_file_in_force(path: Path) -> None:
    with opened(path) as state:
        state.append({"n": 1})
        state.begin_compaction({"rows": []})()
        state.append({"n": 2})
    with opened(path) as state:
        assert (state.remembered.snapshot, state.remembered.commits) == (None, ({"n": 1}, {"n": 2}))
