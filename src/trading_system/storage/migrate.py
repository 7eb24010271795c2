"""Brings the main database to the schema this code expects, and says how far it is.

`schema_state` is cheap and imports no alembic: every start asks it. `upgrade` is its own step (the verb `migrate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from trading_system.domain.errors import ReadFailed
from trading_system.storage.models import Base
from trading_system.storage.schema_head import HEAD_REVISION

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS: Final = Path(__file__).with_name("migrations")
_UPGRADE_LOCK: Final = 7_401_988_271_733
"""PostgreSQL advisory lock: two upgrades at the same time run one after the other."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """`current` None: the database has no schema yet."""

    current: str | None
    head: str

    @property
    def is_current(self) -> bool:
        return self.current == self.head


def schema_state(engine: Engine) -> SchemaState:
    """Compare the database's revision with the one this code expects; ReadFailed when the database does not answer."""
    try:
        with engine.connect().execution_options(read=True) as connection:
            return SchemaState(_revision_of(connection), HEAD_REVISION)
    except sa.exc.SQLAlchemyError as error:
        raise ReadFailed(f"main database: {type(error).__name__}") from error


def upgrade(engine: Engine) -> SchemaState:
    """Run all missing revisions in one transaction and return the new state. Idempotent. Raises SQLAlchemyError."""
    from alembic import command

    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        command.upgrade(_config(connection), "head")
    return schema_state(engine)


def find_differences(engine: Engine) -> list[Any]:
    """What separates the database from the models, in alembic's words; empty when they are equal."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata))


def newest_revision() -> str | None:
    """The newest revision among the packaged scripts."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config(None)).get_current_head()


def _config(connection: Connection | None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("file_template", "m%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision_of(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision
