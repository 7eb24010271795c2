"""Holds the account's lock in PostgreSQL beside the file lock: taken before anything is sent, looked after while we run.

A database that does not answer delays nothing and refuses nothing: the file lock stands alone then, and the log says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from trading_system.domain import log_events as ev
from trading_system.domain.alert_kinds import AlertKind
from trading_system.domain.errors import ReadFailed
from trading_system.domain.protocols import Alerter, Clock
from trading_system.live.log_port import Log
from trading_system.safety.instance_lock import AnotherInstanceRunning
from trading_system.storage.account_lock import LockAnswer, LockedByOther, LockHeld

LOCK_GATE: Final = "account_lock"
GHOST_AGAIN_S: Final = 0.2
CHECK_S: Final = 10.0
"""Process seconds between looks at the session that holds the lock."""
START_WAIT_S: Final = 3.0
"""Process seconds a start waits for the database's word; positions wait for protection meanwhile."""


class SessionLock(Protocol):
    """The blocking lock (`storage.account_lock`)."""

    def take(self) -> LockAnswer: ...
    def close(self) -> None: ...


class AccountLockKeeper:
    """One per process. `gates`: where entries are closed while somebody else holds the account."""

    def __init__(
        self,
        lock: SessionLock,
        where: str,
        gates: dict[str, str],
        clock: Clock,
        log: Log,
        say: Callable[[str], None],
        start_wait_s: float = START_WAIT_S,
    ) -> None:
        """where: names account and database for a person, without secrets."""
        self._start_wait_s = start_wait_s
        self._lock = lock
        self._where = where
        self._gates = gates
        self._clock = clock
        self._log = log
        self._say = say
        self._call: asyncio.Task[LockAnswer] | None = None
        self._is_held: bool | None = None
        """None = the database has not told yet, or does not answer."""

    async def begin(self) -> None:
        """Take it at the start. AnotherInstanceRunning when a living daemon elsewhere has it."""
        answer: LockAnswer | None = None
        try:
            async with asyncio.timeout(self._start_wait_s):
                # our own ghost of a moment ago is gone as soon as the server has noticed
                while not isinstance(answer := await self._ask(), LockHeld) and answer.is_our_ghost:
                    await self._clock.sleep(GHOST_AGAIN_S)
        except ReadFailed as error:
            self._unanswered(str(error))
            return
        except TimeoutError:
            if answer is None:
                self._unanswered(f"no answer in {self._start_wait_s:g} s")
                return
        if isinstance(answer, LockedByOther) and not answer.is_our_ghost:
            raise AnotherInstanceRunning(answer.holder, self._where)
        assert answer is not None
        self._note(answer, None)

    async def keep(self, alerts: Alerter) -> None:
        """Look after it for ever."""
        while True:
            await self._clock.sleep(CHECK_S)
            try:
                answer = await self._ask()
            except ReadFailed as error:
                self._unanswered(str(error))
                continue
            self._note(answer, alerts)

    async def end(self) -> None:
        """Give it back; waits for a call under way, which has deadlines of its own."""
        if self._call is not None:
            await asyncio.wait([self._call])
        await asyncio.to_thread(self._lock.close)

    async def _ask(self) -> LockAnswer:
        """One call at a time: one that nobody waits for any more still ends before the next begins."""
        if self._call is None:
            self._call = asyncio.get_running_loop().create_task(asyncio.to_thread(self._lock.take), name="account lock")
            self._call.add_done_callback(self._forget)
        return await asyncio.shield(self._call)

    def _forget(self, call: asyncio.Task[LockAnswer]) -> None:
        self._call = None
        if not call.cancelled():
            call.exception()  # looked at: who waited for it may be gone

    def _unanswered(self, why: str) -> None:
        if self._is_held is not None or LOCK_GATE not in self._gates:
            self._log.warning(ev.ACCOUNT_LOCK_UNKNOWN, where=self._where, why=why)
        if self._is_held is None:
            self._say(f"  lock        the database does not answer ({why}): only the lock file guards against a second daemon")
        self._is_held = None

    def _note(self, answer: LockAnswer, alerts: Alerter | None) -> None:
        if isinstance(answer, LockedByOther):
            self._taken_by(answer, alerts)
            return
        if self._is_held is not True:
            self._log.info(ev.ACCOUNT_LOCK_HELD, where=self._where)
        self._is_held = True
        self._gates.pop(LOCK_GATE, None)

    def _taken_by(self, answer: LockedByOther, alerts: Alerter | None) -> None:
        text = f"another daemon holds {self._where}: {answer.holder}. Entries are off here, positions stay protected; stop one of the two"
        if LOCK_GATE not in self._gates:
            self._log.error(ev.ACCOUNT_LOCK_TAKEN, where=self._where, holder=answer.holder)
            if alerts is not None and not answer.is_our_ghost:
                alerts.alert(AlertKind.EXCEPTION.value, text, urgent=True)
        self._is_held = False
        self._gates[LOCK_GATE] = text
