"""Run by alembic. The connection is handed in by `storage.migrate`: this file reads no configuration and no environment."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy.engine import Connection

from trading_system.storage.columns import ExactDecimal, UtcMoment
from trading_system.storage.models import Base


def _render_type(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Write our own types by name into new revisions, with their import."""
    if kind == "type" and isinstance(item, ExactDecimal | UtcMoment):
        return f"{type(item).__name__}()"
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite cannot alter a table in place
        render_item=_render_type,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
