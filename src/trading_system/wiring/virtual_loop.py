"""A deterministic asyncio loop in virtual time: no sockets, no threads, no wall clock.

When nothing is ready the clock jumps to the next timer. A loop in which every task waits and no timer is set is a
deadlock and raises, instead of hanging. Threads would bring the machine's scheduler in, so executor calls run inline.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(RuntimeError):
    """Every task waits and no timer is set."""


class _NeverBlocks(selectors.SelectSelector):
    """Keeps asyncio's self-pipe registered; a wait moves the clock instead of blocking."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock("every task waits and no timer is set")
        if timeout > 0:
            self.loop.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual seconds since the loop was made."""

    def __init__(self) -> None:
        self._virtual_now = 0.0
        selector = _NeverBlocks()
        super().__init__(selector)
        selector.loop = self
        # asyncio runs what is due before now + resolution. Below the spacing of floats (4e-9 after 194 days) that is now itself, and
        # a timer that is due exactly now is never due
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._virtual_now

    def advance(self, seconds: float) -> None:
        """Jump to the next timer, which asyncio says is `seconds` away (it caps the figure, never exceeds it)."""
        when: float = self._scheduled[0]._when if self._scheduled else self._virtual_now + seconds  # type: ignore[attr-defined]
        self._virtual_now = max(self._virtual_now, when)

    def block(self, seconds: float) -> None:
        """Let the running callback take so long: nothing else runs meanwhile, and every timer in between is late."""
        self._virtual_now += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run the call at once, on this thread."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whatever the call raised belongs to the awaiter
            future.set_exception(error)
        return future

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no sockets in virtual time: inject the ports instead")

    async def sock_connect(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no sockets in virtual time: inject the ports instead")


def run_virtual(make: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run `make(loop)` to its end on a fresh virtual loop and return its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        return runner.run(make(loop))
