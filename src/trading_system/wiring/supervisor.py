"""Every long-lived task is started here: a death is logged with its traceback, counted, and answered by restart or halt.

The trap it avoids: a task made and forgotten is collected mid-way and its exception is never seen.
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from trading_system.domain import log_events as ev
from trading_system.domain.protocols import Clock
from trading_system.safety.torn import whole


class OnDeath(enum.Enum):
    """What follows when a supervised task ends or dies."""

    RESTART = "restart"
    """Start it again with back-off (1 s doubling to 30 s)."""
    HALT = "halt"
    """Tell the owner through `on_fatal`; entries must stop."""
    IGNORE = "ignore"
    """A task that is meant to end."""


class Log(Protocol):
    def info(self, event: str, **fields: Any) -> Any: ...
    def error(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...


class Supervisor:
    """Owns the tasks of one daemon. `deaths` counts by task name for metrics and the cycle summary."""

    def __init__(self, clock: Clock, log: Log, on_fatal: Callable[[str, BaseException | None], None]) -> None:
        self._clock = clock
        self._log = log
        self._on_fatal = on_fatal
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self.deaths: Counter[str] = Counter()
        self.on_death: Callable[[str, BaseException | None], None] | None = None
        """Told of every death, whatever follows; set by whoever can alert a human."""

    def start(self, name: str, make: Callable[[], Awaitable[None]], on_death: OnDeath = OnDeath.RESTART) -> None:
        """Run `make()` for ever under `name`."""
        self._tasks[name] = asyncio.get_running_loop().create_task(self._watch(name, make, on_death), name=name)

    def detach(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a short piece of work to its end in the background, its failure logged; kept referenced until then."""
        task = asyncio.get_running_loop().create_task(self._logged(name, work), name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _logged(self, name: str, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await whole(work)
        except Exception as error:  # noqa: BLE001 - task boundary: nobody awaits this, so it is logged and counted here
            self.deaths[name] += 1
            self._log.error(ev.TASK_FAILED, task=name, deaths=self.deaths[name], error=repr(error), exc_info=error)
            self._tell(name, error)
            return None

    async def _watch(self, name: str, make: Callable[[], Awaitable[None]], on_death: OnDeath) -> None:
        wait_s = 1.0
        while True:
            started = self._clock.monotonic()
            error: BaseException | None = None
            try:
                await whole(make())
            except Exception as caught:  # noqa: BLE001 - task boundary: a dead task must never be silent
                error = caught
            if on_death is OnDeath.IGNORE and error is None:
                return
            self.deaths[name] += 1
            self._log.error(ev.TASK_FAILED, task=name, deaths=self.deaths[name], error=repr(error), exc_info=error)
            self._tell(name, error)
            if on_death is not OnDeath.RESTART:
                self._on_fatal(name, error)
                return
            if self._clock.monotonic() - started > 60:
                wait_s = 1.0
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * 2, 30.0)

    def _tell(self, name: str, error: BaseException | None) -> None:
        if self.on_death is not None:
            self.on_death(name, error)

    @property
    def alive(self) -> tuple[str, ...]:
        """Names of the tasks that run."""
        return tuple(sorted(name for name, task in self._tasks.items() if not task.done()))

    async def stop(self) -> None:
        """Cancel everything that runs for ever, then let the short pieces of work finish."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
        if self._background:
            await asyncio.gather(*self._background, return_exceptions=True)
