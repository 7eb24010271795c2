"""The migrations, the models and the constant the daemon compares with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from trading_system.domain.errors import ReadFailed
from trading_system.storage.db import make_engine
from trading_system.storage.migrate import SchemaState, find_differences, newest_revision, schema_state, upgrade
from trading_system.storage.schema_head import HEAD_REVISION


def test_the_expected_revision_is_the_newest_migration() -> None:
    assert newest_revision() == HEAD_REVISION


def test_an_empty_database_is_brought_to_head_once(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/app.db")
    assert schema_state(engine) == SchemaState(None, HEAD_REVISION)

    assert upgrade(engine).is_current
    assert upgrade(engine).is_current
    assert find_differences(engine) == []


def test_a_database_that_does_not_answer_is_a_failed_read_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "app.db").write_bytes(b"not a database at all, but long enough to be read as one" * 20)

    with pytest.raises(ReadFailed):
        schema_state(make_engine(f"sqlite:///{tmp_path}/app.db"))


def test_a_migration_can_be_taken_back(tmp_path: Path) -> None:
    from alembic import command

    from trading_system.storage.migrate import _config

    engine = make_engine(f"sqlite:///{tmp_path}/app.db")
    upgrade(engine)
    with engine.begin() as connection:
        command.downgrade(_config(connection), "base")

    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]


def test_asking_for_the_schema_state_does_not_import_alembic() -> None:
    code = "import sys, trading_system.storage.migrate as m; print('alembic' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
