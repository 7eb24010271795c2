"""Amounts and moments in the database mean what they meant before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from trading_system.storage.columns import ExactDecimal, UtcMoment
from trading_system.storage.db import make_engine, normalise_url

META = sa.MetaData()
TABLE = sa.Table(
    "amounts", META, sa.Column("id", sa.Integer, primary_key=True), sa.Column("amount", ExactDecimal()), sa.Column("at", UtcMoment())
)


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    engine = make_engine(f"sqlite:///{tmp_path}/app.db")
    META.create_all(engine)
    return engine


def written(engine: sa.Engine, amount: object = None, moment: object = None) -> tuple[Decimal | None, datetime | None]:
    with engine.begin() as connection:
        connection.execute(sa.insert(TABLE), [{"amount": amount, "at": moment}])
        row = connection.execute(sa.select(TABLE.c.amount, TABLE.c.at)).one()
    return row[0], row[1]


@pytest.mark.parametrize("text", ["123456789.123456789123456789", "0", "-0.000000000000000001", "1E+5", "99999999999999999999"])
def test_an_amount_comes_back_exactly(engine: sa.Engine, text: str) -> None:
    assert written(engine, Decimal(text))[0] == Decimal(text)


def test_more_than_eighteen_decimals_are_rounded_half_even(engine: sa.Engine) -> None:
    assert written(engine, Decimal("0.1234567890123456785"))[0] == Decimal("0.123456789012345678")


@pytest.mark.parametrize("amount", [1.5, "1", Decimal("NaN"), Decimal("Infinity"), Decimal("1E+20")])
def test_what_is_no_amount_is_refused(engine: sa.Engine, amount: object) -> None:
    with pytest.raises(sa.exc.StatementError, match="finite Decimal"):
        written(engine, amount)


def test_a_moment_comes_back_in_utc(engine: sa.Engine) -> None:
    there = timezone(timedelta(hours=2))

    assert written(engine, moment=datetime(2025, 6, 2, 12, 0, 0, 123456, tzinfo=there))[1] == datetime(2025, 6, 2, 10, 0, 0, 123456, UTC)


def test_a_naive_moment_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.StatementError, match="time zone"):
        written(engine, moment=datetime(2025, 6, 2))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_a_postgres_url_means_psycopg2(scheme: str) -> None:
    url = normalise_url(f"{scheme}://bot:p%40ss@db.example:5432/trading?sslmode=require")

    assert (url.drivername, url.password, url.query["sslmode"]) == ("postgresql+psycopg2", "p@ss", "require")
    assert make_engine(f"{scheme}://bot:x@db.example/trading").dialect.driver == "psycopg2"


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "hunter2", "://hunter2"])
def test_another_database_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="DATABASE_URL") as caught:
        normalise_url(url)

    assert "hunter2" not in str(caught.value)


def test_sqlite_runs_in_wal_and_takes_its_write_lock_at_begin(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/deep/app.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    with engine.begin(), engine.connect().execution_options(read=True) as reader:
        assert reader.exec_driver_sql("SELECT 1").scalar() == 1
