"""The same schema and the same behaviour on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from postgres_fixture import PostgresServer
from trading_system.domain.market import Bar, Timeframe
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import to_ms
from trading_system.storage.db import make_engine
from trading_system.storage.delivery import DeliveryPump, WriterParameters
from trading_system.storage.migrate import find_differences, schema_state, upgrade
from trading_system.storage.models import Base
from trading_system.storage.outbox import Entry, OutboxRow
from trading_system.storage.pruning import CANDLE_AGE_MAX, prune
from trading_system.storage.records import candle_payload, encode_payload
from trading_system.storage.repository import Repository
from trading_system.wiring.clock import WallClock

NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)
PRECISE = Decimal("123456789.123456789123456789")
BTC = Symbol("BTC/USD")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path}/app.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    engine = make_engine(url)
    upgrade(engine)
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(sa.delete(table))
    yield engine
    engine.dispose()


def rows(*told: tuple[str, dict[str, object]], first_id: int = 1, at: datetime = NOON) -> list[OutboxRow]:
    return [OutboxRow(first_id + i, kind, at, encode_payload(payload)) for i, (kind, payload) in enumerate(told)]


def test_one_migration_makes_the_models_on_both_databases(engine: Engine) -> None:
    assert schema_state(engine).is_current
    assert find_differences(engine) == []


def test_an_amount_of_twenty_seven_digits_comes_back_exactly(engine: Engine) -> None:
    repository = Repository(engine)
    repository.deliver("a", rows(("equity", {"equity_usd": PRECISE, "balance_usd": -PRECISE})))

    (point,) = repository.equity_history(NOON)

    assert (point.at, point.equity_usd, point.balance_usd, point.margin_used_usd) == (NOON, PRECISE, -PRECISE, None)
    assert str(point.equity_usd) == str(PRECISE)


def test_handing_in_the_same_rows_again_writes_nothing_again(engine: Engine) -> None:
    repository = Repository(engine)
    told = rows(("note", {"n": 1}), ("note", {"n": 2}), ("decision_trace", {"symbol": "BTC/USD", "outcome": "no_signal"}))

    repository.deliver("a", told)
    repository.deliver("a", told)
    repository.deliver("a", [*told, *rows(("note", {"n": 3}), first_id=4)])
    repository.deliver("b", told[:1])  # another outbox counts for itself

    assert [e.payload for e in repository.events("note")] == ['{"n":1}', '{"n":3}', '{"n":2}', '{"n":1}']
    assert len(repository.decision_traces("BTC/USD")) == 1
    assert repository.decision_traces("ETH/USD") == ()


def test_a_failing_row_undoes_its_whole_batch(engine: Engine) -> None:
    repository = Repository(engine)
    too_much = rows(("note", {"n": 1}), ("equity", {"equity_usd": Decimal("1e20")}))

    with pytest.raises(sa.exc.StatementError):
        repository.deliver("a", too_much)

    assert repository.events() == ()
    repository.deliver("a", too_much[:1])
    assert len(repository.events()) == 1


def test_a_trade_told_again_replaces_itself_even_within_one_batch(engine: Engine) -> None:
    repository = Repository(engine)

    def trade(net: str) -> tuple[str, dict[str, object]]:
        return "trade", {"trade_id": "T1", "symbol": "BTC/USD", "closed_at": NOON, "net_pnl_usd": Decimal(net), "direction": "long"}

    repository.deliver(
        "a", rows(trade("1"), trade("2"), ("trade", {"trade_id": "T0", "symbol": "ETH/USD", "closed_at": NOON - timedelta(1)}))
    )
    assert [(t.trade_id, t.net_pnl_usd, t.closed_at) for t in repository.trades()] == [
        ("T1", Decimal(2), NOON),
        ("T0", None, NOON - timedelta(1)),
    ]
    repository.deliver("a", rows(trade("3"), first_id=9))
    assert [t.net_pnl_usd for t in repository.trades(limit=1)] == [Decimal(3)]


def test_bars_are_bit_equal_and_a_corrected_bar_replaces_the_old_one(engine: Engine) -> None:
    repository = Repository(engine)
    bars = [Bar(n * 900_000, 0.1 + 0.2, 1e-9 + n, 5e-324, 1.7976931348623157e308, 1 / 3) for n in range(3)]
    repository.deliver("a", rows(("candles", candle_payload(BTC, Timeframe.M15, bars))))
    repository.deliver("a", rows(("candles", candle_payload(BTC, Timeframe.M15, [bars[1]._replace(close=7.0)])), first_id=2))

    kept = {Timeframe.M15: (bars[0], bars[1]._replace(close=7.0), bars[2]), Timeframe.H1: ()}
    assert repository.candles(BTC, {Timeframe.M15: 0, Timeframe.H1: 0}) == kept
    assert repository.candles(BTC, {Timeframe.M15: 900_001}) == {Timeframe.M15: (bars[2],)}


def test_history_is_pruned_by_the_age_of_its_timeframe(engine: Engine) -> None:
    repository = Repository(engine)
    for number, (timeframe, age) in enumerate(CANDLE_AGE_MAX.items(), start=1):
        edge = to_ms(NOON - age)
        bars = [Bar(edge + offset, 1.0, 1.0, 1.0, 1.0, 1.0) for offset in (-400 * 86_400_000, -1, 0, 900_000)]
        repository.deliver("a", rows(("candles", candle_payload(BTC, timeframe, bars)), first_id=number))
    trace: tuple[str, dict[str, object]] = ("decision_trace", {"symbol": "BTC/USD", "outcome": "signal"})
    repository.deliver("a", rows(trace, first_id=10, at=NOON - timedelta(days=91)))
    repository.deliver("a", rows(trace, first_id=11, at=NOON - timedelta(days=89)))

    assert prune(repository, NOON) == 9
    assert prune(repository, NOON) == 0
    for timeframe, age in CANDLE_AGE_MAX.items():
        assert [b.open_ms - to_ms(NOON - age) for b in repository.candles(BTC, {timeframe: 0})[timeframe]] == [0, 900_000]
    assert len(repository.decision_traces()) == 1


def test_universe_changes_are_read_newest_first(engine: Engine) -> None:
    repository = Repository(engine)
    repository.deliver(
        "a",
        rows(("universe", {"symbol": "BTC/USD", "change": "added", "tier": "A"}), ("universe", {"symbol": "ADA/USD", "change": "removed"})),
    )

    assert [(c.symbol, c.change, c.tier) for c in repository.universe_changes()] == [
        ("ADA/USD", "removed", None),
        ("BTC/USD", "added", "A"),
    ]


def test_an_outage_of_postgresql_holds_history_back_and_delivers_it_exactly_once(
    postgres_server: PostgresServer,
    postgres_url: str,
    tmp_path: Path,
) -> None:
    engine = make_engine(postgres_url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM events")
    pump = DeliveryPump(engine, tmp_path / "outbox.db", WallClock(), WriterParameters(backoff_first_s=0.0))

    def told(n: int) -> None:
        assert pump.take([Entry("outage", NOON, f'{{"n":{n}}}', False)]) == ()
        pump.deliver()

    told(1)
    postgres_server.stop()
    try:
        told(2)
        told(3)
        assert (pump.status().is_database_down, pump.status().pending, pump.status().delivered) == (True, 2, 1)
    finally:
        postgres_server.start()
    told(4)

    assert [e.payload for e in reversed(Repository(engine).events("outage"))] == [f'{{"n":{n}}}' for n in (1, 2, 3, 4)]
    assert (pump.status().is_database_down, pump.status().pending) == (False, 0)
    engine.dispose()


def test_a_connection_killed_between_two_deliveries_costs_nothing(postgres_url: str, tmp_path: Path) -> None:
    engine, killer = make_engine(postgres_url), make_engine(postgres_url)
    upgrade(engine)
    repository = Repository(engine)
    repository.deliver("killed", rows(("killed", {"n": 1})))
    with killer.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    repository.deliver("killed", rows(("killed", {"n": 2}), first_id=2))

    assert len(repository.events("killed")) == 2
    engine.dispose()
    killer.dispose()
