"""A daemon that goes on from its kept engine states is the daemon that never stopped, to the last bit, whenever it stopped."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_host import D1, H1, H4, M15, Clock, Emitted, EngineHost, Market, StoredBars, an_engine_store
from strategy_builders import QUICK, START_MS, SYMBOL, random_quarters
from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar
from trading_system.domain.signals import Decision, Signal
from trading_system.domain.units import from_ms
from trading_system.live.engine_feed import feed
from trading_system.storage.engine_store import SqliteEngineStore
from trading_system.strategy.donchian import DonchianStrategy
from trading_system.strategy.snapshot import decode_state, encode_state

DAYS = 30
BEGIN = 24 * 96
"""Quarters that had closed when the first process began: more than the windows hold."""
END = DAYS * 96
FEW = settings(max_examples=8, deadline=None, database=None)


def close_ms(quarter: int) -> int:
    return START_MS + quarter * M15.ms


class World:
    """Everything that outlives a process."""

    def __init__(self, quarters: list[Bar], folder: Path, *, is_kept: bool = True) -> None:
        self.clock = Clock(from_ms(close_ms(BEGIN)))
        self.market = Market(self.clock, quarters)
        self.stored, self.emitted = StoredBars(), Emitted()
        self.engine_store: SqliteEngineStore | None = an_engine_store(folder) if is_kept else None

    def process(self, **changes: object) -> EngineHost:
        made: dict[str, object] = {"stored": self.stored, "engine_store": self.engine_store, "emitted": self.emitted, "parameters": QUICK}
        return EngineHost(self.market, self.clock, **(made | changes))  # type: ignore[arg-type]

    def close(self) -> None:
        if self.engine_store is not None:
            self.engine_store.close()


async def live(world: World, stops: dict[int, int]) -> tuple[list[Decision], tuple[bytes, bytes], list[EngineHost]]:
    """Judge every quarter from BEGIN to END; a stop at quarter q keeps the states and is away for stops[q] quarters."""
    host = world.process()
    await host.start()
    hosts, said, quarter = [host], [], BEGIN
    while quarter < END:
        quarter += 1
        said.append(await host.close_at(close_ms(quarter)))
        if quarter in stops:
            assert await host.keep() is None
            quarter = min(END - 1, quarter + stops[quarter])
            world.clock.moment = from_ms(close_ms(quarter))
            host = world.process()
            await host.start()
            hosts.append(host)
    return said, host.state(), hosts


@FEW
@given(seed=st.integers(0, 50), stops=st.dictionaries(st.integers(BEGIN + 1, END - 2), st.just(0), min_size=1, max_size=5))
def test_restarted_at_any_bar_it_is_as_if_it_never_had(seed: int, stops: dict[int, int]) -> None:
    quarters = random_quarters(seed, DAYS)
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = World(quarters, Path(folder) / "a"), World(quarters, Path(folder) / "b")
        said, state, _ = asyncio.run(live(whole, {}))
        again, restarted, hosts = asyncio.run(live(broken, stops))
        whole.close(), broken.close()

    assert again == said
    assert restarted == state
    assert all(host.engines.restored == 1 and not host.engines.cold for host in hosts[1:])


@FEW
@given(seed=st.integers(0, 50), stop=st.integers(BEGIN + 1, END - 120), away=st.integers(1, 100))
def test_bars_that_closed_while_it_was_away_are_fed_as_if_it_had_been_there(seed: int, stop: int, away: int) -> None:
    """No signal is acted on while away, so the whole run must not act on them either."""
    quarters = random_quarters(seed, DAYS)
    with tempfile.TemporaryDirectory() as folder:
        broken = World(quarters, Path(folder) / "b")
        said, restarted, hosts = asyncio.run(live(broken, {stop: away}))
        whole = World(quarters, Path(folder) / "a")
        whole.emitted.known = list(broken.emitted.known)
        state = asyncio.run(fed_through(whole))
        whole.close(), broken.close()

    assert hosts[1].engines.restored == 1
    assert 0 < hosts[1].engines.bars_fed <= 2 * away
    assert restarted[1] == state[1]
    assert without_used(restarted[0]) == without_used(state[0])
    assert said


async def fed_through(world: World) -> tuple[bytes, bytes]:
    """Nobody asks; every bar is fed."""
    host = world.process()
    await host.start()
    for quarter in range(BEGIN + 1, END + 1):
        world.clock.moment = from_ms(close_ms(quarter))
        await host.candles.refresh([SYMBOL])
        await feed(host, host.candles.drain())
    return host.state()


def without_used(snapshot: bytes) -> bytes:
    """The state but for the zones that were used: who was away acted on fewer signals."""
    state = decode_state(snapshot, SYMBOL, QUICK)
    assert state is not None
    state.used = {}
    return encode_state(state, SYMBOL, QUICK)


async def stopped_at(world: World, quarter: int) -> tuple[bytes, bytes]:
    host = world.process()
    await host.start()
    for number in range(BEGIN + 1, quarter + 1):
        await host.close_at(close_ms(number))
    assert await host.keep() is None
    return host.state()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(random_quarters(4, DAYS), tmp_path)


def restart(world: World, **changes: object) -> tuple[EngineHost, dict[str, list[str]]]:
    host = world.process(**changes)
    asyncio.run(host.start())
    return host, host.engines.cold  # type: ignore[return-value]


def test_without_a_kept_state_the_short_windows_make_another_engine(world: World, tmp_path: Path) -> None:
    """What the other tests here prove would be nothing if a warm-up came to the same state anyway."""
    state = asyncio.run(stopped_at(world, END))

    assert restart(world)[0].state() == state
    assert restart(world, engine_store=None)[0].state() != state
    assert restart(world, engine_store=an_engine_store(tmp_path / "empty"))[1] == {"no state was kept": [SYMBOL]}


@pytest.mark.parametrize(
    ("timeframe", "back", "what"),
    [(frame, back, "one of its last bars differs") for frame in (M15, H1, H4, D1) for back in (0, 9)]
    + [(M15, 100, "an older bar differs"), (H1, 80, "an older bar differs")],
)
def test_a_bar_that_was_corrected_meanwhile_is_a_warm_up_from_bars(world: World, timeframe: object, back: int, what: str) -> None:
    asyncio.run(stopped_at(world, END))
    bars = world.stored.kept[SYMBOL, timeframe]  # type: ignore[index]
    newest = sorted(bars)[-1 - back]
    corrected = bars[newest]._replace(low=bars[newest].low * 0.999)
    bars[newest] = corrected
    market = world.market.series[timeframe]  # type: ignore[index]
    market[[bar.open_ms for bar in market].index(newest)] = corrected

    host, cold = restart(world)

    (why,) = cold
    assert why == f"{timeframe.value} bars are not those it has seen: {what}"  # type: ignore[attr-defined]
    assert host.state() == restart(world, engine_store=None)[0].state()


def test_a_hole_that_was_filled_meanwhile_is_a_warm_up_from_bars(tmp_path: Path) -> None:
    quarters = random_quarters(4, DAYS)
    hole = quarters[END - 150]
    world = World(quarters, tmp_path)
    world.market.series[M15].remove(hole)
    asyncio.run(stopped_at(world, END))
    world.market.series[M15] = quarters

    assert list(restart(world)[1]) == ["15m bars are not those it has seen: an older bar differs"]


def test_bars_that_are_no_longer_kept_are_a_warm_up_from_bars(tmp_path: Path) -> None:
    world = World(random_quarters(4, DAYS), tmp_path)
    asyncio.run(stopped_at(world, BEGIN + 96))
    world.clock.moment = from_ms(close_ms(END))  # nine days later: the 15m window is three

    assert list(restart(world)[1]) == ["15m bars are not those it has seen: its last bar is not kept"]


def test_other_code_other_numbers_and_damage_are_a_warm_up_from_bars(world: World, tmp_path: Path) -> None:
    asyncio.run(stopped_at(world, END))
    cold = restart(world, engine_store=None)[0].state()

    host, why = restart(world, maker="another")
    assert (list(why), host.state()) == (["code or numbers of the strategy changed"], cold)
    host, why = restart(world, parameters=replace(QUICK, range_atr_min=1.6))
    assert list(why) == ["the strategy refused its kept state"]

    world.close()
    path = tmp_path / "engines.db"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    host, why = restart(world)
    assert host.state() == cold
    assert host.engines.restored == 0


def test_a_file_that_is_no_database_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "engines.db").write_bytes(b"nonsense" * 1000)
    store = an_engine_store(tmp_path)

    assert asyncio.run(store.load(SYMBOL)) is None
    asyncio.run(store.save({SYMBOL: b"state"}))
    assert asyncio.run(store.load(SYMBOL)) == b"state"
    store.close()


def test_a_disk_that_refuses_is_told_and_stops_nothing(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SqliteEngineStore(tmp_path / "file" / "engines.db")
    host = world.process(engine_store=store)

    asyncio.run(host.start())

    (why,) = host.engines.cold
    assert why.startswith("the kept state cannot be read")
    assert "engines.db" in (asyncio.run(host.keep()) or "")
    with pytest.raises(ReadFailed):
        asyncio.run(store.load(SYMBOL))


def test_a_strategy_without_snapshots_is_fed_all_bars_and_nothing_is_kept(world: World) -> None:
    host, cold = restart(world, strategy=DonchianStrategy())

    assert cold == {}
    assert host.engines.bars_fed > 300
    assert asyncio.run(host.keep()) is None
    assert world.engine_store is not None
    assert asyncio.run(world.engine_store.load(SYMBOL)) is None


def test_some_signals_are_given_in_these_markets() -> None:
    """The restarts above are among marks of used zones, not only among bars."""
    with tempfile.TemporaryDirectory() as folder:
        worlds = [World(random_quarters(seed, DAYS), Path(folder), is_kept=False) for seed in range(6)]
        said = [one for world in worlds for one in asyncio.run(live(world, {}))[0]]
    assert sum(isinstance(one, Signal) for one in said) >= 3
