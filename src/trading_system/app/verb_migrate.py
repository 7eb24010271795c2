"""`migrate`: bring the main database to the schema this code expects, or say whether it is there."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trading_system.app.config_args import add_config_options, load_from
from trading_system.app.exit_codes import ExitCode

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from trading_system.config.load import LoadedConfig
    from trading_system.storage.migrate import SchemaState

SUMMARY = "bring the main database to the newest schema (--check only looks and exits 1 when it is behind)"


def configure(parser: argparse.ArgumentParser) -> None:
    add_config_options(parser)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 0 when the schema is current, 1 when it is not")
    parser.add_argument("--json", action="store_true", help="machine-readable")


def run(args: argparse.Namespace) -> int:
    from sqlalchemy.exc import SQLAlchemyError

    from trading_system.domain.errors import ReadFailed

    url = database_url_of(load_from(args))
    before = after = None
    try:
        before = state_of(url)
        after = before if args.check else _upgraded(url)
    except (SQLAlchemyError, ReadFailed, OSError) as error:
        print(f"{shown(url)}: {_first_line(error)}", file=sys.stderr)
        return ExitCode.FAULT
    facts = {"database": shown(url), "before": before.current, "current": after.current, "head": after.head, "is_current": after.is_current}
    print(json.dumps(facts, indent=2) if args.json else f"{shown(url)}: {describe(before, after)}")
    return ExitCode.CLEAN if after.is_current else ExitCode.FAULT


def database_url_of(loaded: LoadedConfig) -> URL:
    """Where the main database is; ConfigError when nothing says so or it is no such URL."""
    from trading_system.domain.errors import ConfigError
    from trading_system.storage.db import normalise_url

    if loaded.database_url is None:
        raise ConfigError("DATABASE_URL is not set; write it like postgresql://user:password@host/name, or set ENV=local for SQLite")
    try:
        return normalise_url(loaded.database_url.reveal())
    except ValueError as error:
        raise ConfigError(str(error)) from None


def shown(url: URL) -> str:
    """The URL for people, without a password in either of the places it may stand."""
    return url.difference_update_query(["password"]).render_as_string(hide_password=True)


def state_of(url: URL) -> SchemaState:
    """The schema as it is. A SQLite file that is not there has none, and is not made by asking. ReadFailed, SQLAlchemyError."""
    from trading_system.storage.db import make_engine
    from trading_system.storage.migrate import SchemaState, schema_state
    from trading_system.storage.schema_head import HEAD_REVISION

    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
        return SchemaState(None, HEAD_REVISION)
    engine = make_engine(url.render_as_string(hide_password=False))
    try:
        return schema_state(engine)
    finally:
        engine.dispose()


def _upgraded(url: URL) -> SchemaState:
    from alembic.util import CommandError

    from trading_system.domain.errors import ReadFailed
    from trading_system.storage.db import make_engine
    from trading_system.storage.migrate import upgrade

    engine = make_engine(url.render_as_string(hide_password=False))
    try:
        return upgrade(engine)
    except CommandError as error:  # a revision this version does not know: the database is newer than the program
        raise ReadFailed(f"{error}; the database was made by a newer version of this program") from error
    finally:
        engine.dispose()


def describe(before: SchemaState, after: SchemaState) -> str:
    """One line for people."""
    found = "no schema" if after.current is None else f"schema {after.current}"
    if after.current is not None and after.current > after.head:
        return f"{found} is newer than the {after.head} this program knows; install the newer program"
    if not after.is_current:
        return f"{found}, this program expects {after.head}; run: python run.py migrate"
    if before.current == after.current:
        return f"{found}, current"
    return f"{'no schema' if before.current is None else before.current} -> {after.current}, current"


def _first_line(error: Exception) -> str:
    """What the database said, without the statement and the links SQLAlchemy adds."""
    from sqlalchemy.exc import DBAPIError

    cause = error.__cause__ if isinstance(error.__cause__, DBAPIError) else error
    told = cause.orig if isinstance(cause, DBAPIError) and cause.orig is not None else error
    return next(iter(str(told).strip().splitlines()), type(error).__name__)
