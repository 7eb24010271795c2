"""One daemon per account across machines: a session's advisory lock in the PostgreSQL both would write to.

It ends with its connection, so it cannot outlive a process for longer than the server needs to notice (keepalives: a minute). The
trap it avoids: two hosts started from one copied configuration, each answering the other's orders.
"""

from __future__ import annotations

import hashlib
import socket
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from trading_system.domain.errors import ReadFailed

_CONNECT_TIMEOUT_S: Final = 5
_TRIES: Final = 5
_OPTIONS: Final = (
    # the server drops the session of a machine that vanished; its default is two hours
    "-c statement_timeout=5000 -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)
_HOLDER: Final = """
select activity.application_name, activity.client_addr, activity.backend_start
from pg_locks as held join pg_stat_activity as activity on activity.pid = held.pid
where held.locktype = 'advisory' and held.granted and held.objsubid = 1
  and held.database = (select oid from pg_database where datname = current_database())
  and ((held.classid::bigint << 32) | held.objid::bigint) = %s
"""


@dataclass(frozen=True, slots=True)
class LockHeld:
    """It is ours."""


@dataclass(frozen=True, slots=True)
class LockedByOther:
    """Another session has it. is_our_ghost: it was taken from this very data directory, whose file lock we hold: its process is dead."""

    holder: str
    is_our_ghost: bool


LockAnswer: TypeAlias = LockHeld | LockedByOther


def is_postgres(url: str) -> bool:
    """True for the database URLs of a PostgreSQL."""
    return url.strip().partition("://")[0].partition("+")[0] in ("postgres", "postgresql")


def shown_database(url: str) -> str:
    """Host and name of the database, without user, password and options."""
    parts = urlsplit(url)
    host = parts.hostname or "a local socket"
    return f"PostgreSQL database {parts.path.lstrip('/') or '(default)'} at {host}"


def lock_key(account: str) -> int:
    """The lock's number: 63 bits of the account's name, so that it never collides by accident."""
    return int.from_bytes(hashlib.sha256(f"trading_system {account}".encode()).digest()[:8]) >> 1


class AccountLock:
    """Blocking: call it off the loop, one call at a time. Every call may raise ReadFailed (the database does not answer)."""

    def __init__(self, url: str, account: str, data_dir: str) -> None:
        """url: as in DATABASE_URL; account: what is locked; data_dir: the directory whose file lock this process holds."""
        self._dsn = "postgresql://" + url.strip().partition("://")[2]
        self._key = lock_key(account)
        self._name = f"trading-bot {socket.gethostname()[:24]} {hashlib.sha256(data_dir.encode()).hexdigest()[:12]}"
        self._connection: Any = None
        # a tenth of a second of CPU: paid by those who have a PostgreSQL
        import psycopg2

        self._driver: Any = psycopg2

    def take(self) -> LockAnswer:
        """Take it, or make sure that it is still ours: the session that took it must be alive."""
        try:
            if self._connection is not None:
                return self._still_held()
            return self._take()
        except self._driver.Error as error:
            self.close()
            # the type only: a driver's text can carry host and user
            raise ReadFailed(f"account lock: {type(error).__name__}") from None

    def close(self) -> None:
        """End the session; the lock goes with it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _take(self) -> LockAnswer:
        connection = self._driver.connect(
            self._dsn,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name=self._name,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=10_000,
            options=_OPTIONS,
        )
        connection.autocommit = True
        self._connection = connection
        row = None
        with connection.cursor() as cursor:
            for _ in range(_TRIES):
                cursor.execute("select pg_try_advisory_lock(%s)", (self._key,))
                if cursor.fetchone() == (True,):
                    return LockHeld()
                cursor.execute(_HOLDER, (self._key,))
                row = cursor.fetchone()
                if row is not None:
                    break  # else it ended between the two questions: ask again
        self.close()
        if row is None:
            return LockedByOther("a session that cannot be seen", is_our_ghost=False)
        name, address, since = row
        where = "this machine's socket" if address is None else str(address)
        return LockedByOther(f"{name} from {where} since {since:%Y-%m-%d %H:%M:%S %Z}", is_our_ghost=name == self._name)

    def _still_held(self) -> LockAnswer:
        with self._connection.cursor() as cursor:
            cursor.execute("select 1")
            cursor.fetchone()
        return LockHeld()
