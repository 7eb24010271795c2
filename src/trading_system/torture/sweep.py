"""Ends what a dead process left on the loop."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

from trading_system.torture.mortal import ProcessDied


async def sweep() -> None:
    """End every task but this one, at once."""
    mine = asyncio.current_task()
    # a set of tasks has the order of their addresses
    tasks = sorted((task for task in asyncio.all_tasks() if task is not mine), key=lambda task: task.get_name())
    with warnings.catch_warnings():
        # calls that were prepared and never begun are part of dying
        warnings.simplefilter("ignore", RuntimeWarning)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        del tasks
        gc.collect()


def ignore_deaths(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A loop's exception handler: a task that was unwound by its process's death has nobody left to tell."""
    if not isinstance(context.get("exception"), ProcessDied):
        loop.default_exception_handler(context)
