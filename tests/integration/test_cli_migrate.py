"""`run.py migrate` on both databases, as a real process."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from fakes.command_line import CommandLine
from trading_system.storage.schema_head import HEAD_REVISION

pytestmark = pytest.mark.process


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_check_on_a_fresh_clone_exits_1_and_makes_no_file(cli: CommandLine) -> None:
    answer = cli("migrate", "--check")

    assert answer.code == 1
    assert answer.out == f"sqlite:///./.local/app.db: no schema, this program expects {HEAD_REVISION}; run: python run.py migrate\n"
    assert cli.files() == []


def test_migrate_makes_the_schema_and_says_so_once(cli: CommandLine) -> None:
    first, second, check = cli("migrate"), cli("migrate"), cli("migrate", "--check", "--json")

    assert (first.code, second.code, check.code) == (0, 0, 0)
    assert first.out.endswith(f"no schema -> {HEAD_REVISION}, current\n")
    assert second.out.endswith(f"schema {HEAD_REVISION}, current\n")
    assert json.loads(check.out) == {
        "database": "sqlite:///./.local/app.db",
        "before": HEAD_REVISION,
        "current": HEAD_REVISION,
        "head": HEAD_REVISION,
        "is_current": True,
    }


@pytest.mark.parametrize("words", [["migrate"], ["migrate", "--check"]])
def test_a_database_of_a_newer_program_is_left_alone_and_exits_1(cli: CommandLine, words: list[str]) -> None:
    cli("migrate")
    with sqlite3.connect(cli.folder / ".local/app.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()

    answer = cli(*words)

    assert answer.code == 1
    assert "newer" in answer.out + answer.err
    assert "Traceback" not in answer.err


def test_a_database_that_does_not_answer_exits_1_with_its_reason_and_no_password(tmp_path: Path) -> None:
    url = "postgres://user:hunter2@127.0.0.1:1/history?password=hunter3"
    cli = CommandLine(tmp_path, {"DATABASE_URL": url})

    answer = cli("migrate", "--check")

    assert answer.code == 1
    assert len(answer.err_lines) == 1
    assert "onnection refused" in answer.err
    assert "hunter" not in answer.err + answer.out


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"DATABASE_URL": "mysql://user:hunter2@host/name"}, "mysql"),
        ({"DATABASE_URL": "hunter2"}, "not a database URL"),
        ({"TS_EXCHANGE__VENUE": "kraken_futures"}, "DATABASE_URL is not set"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_a_refused_configuration(tmp_path: Path, environment: dict[str, str], named: str) -> None:
    cli = CommandLine(tmp_path, environment)

    answer = cli("migrate")

    assert answer.code == 78
    assert len(answer.err_lines) == 1
    assert named in answer.err
    assert "hunter" not in answer.err
    assert cli.files() == []


def test_postgresql_is_brought_to_the_newest_schema(tmp_path: Path, postgres_url: str) -> None:
    cli = CommandLine(tmp_path, {"DATABASE_URL": postgres_url})

    codes = [cli(*words).code for words in (["migrate", "--check"], ["migrate"], ["migrate", "--check"])]

    assert codes == [1, 0, 0]
    assert cli.files() == []
