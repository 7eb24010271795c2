"""A cancellation that nobody here asked for: it comes out of a call, because a library cancelled something inside it.

The trap it avoids: CancelledError is no Exception. It passes every `except Exception` on its way and ends the loop that awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class CallTorn(Exception):
    """A call ended by a cancellation of its own. Whatever it was to do may have been done."""


def is_ending() -> bool:
    """True when the running task itself was asked to end: by a stop, or by a deadline around it."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def whole(call: Awaitable[T]) -> T:
    """Await `call`; a cancellation that was not asked of this task becomes CallTorn, which is an error like any other."""
    try:
        return await call
    except asyncio.CancelledError:
        if is_ending():
            raise
        raise CallTorn("the call was cancelled from within") from None
