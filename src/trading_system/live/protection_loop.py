"""The protection loop: from "fill seen" to "stop rests" without waiting for a tick. Woken by the private feed, with a poll behind it."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from trading_system.domain.protocols import Clock, PrivateFeed
from trading_system.execution.account_books import AccountBooks
from trading_system.safety.torn import whole

LOOKS_MAX: Final = 4
"""Looks that may be under way at once: one every poll, each answered within its reads' deadlines or given up."""


class LoopHost(Protocol):
    """What the loop needs: the feed, the books, and the two moves it makes."""

    @property
    def clock(self) -> Clock: ...
    @property
    def feed(self) -> PrivateFeed: ...
    @property
    def books(self) -> AccountBooks: ...

    async def look(self, *, is_essential: bool = False) -> None:
        """Read the account and take it in. Essential looks, one per poll at most, have requests kept for them."""
        ...

    async def protect(self) -> None:
        """Plan and act for every position."""
        ...


class ProtectionLoop:
    """Two supervised coroutines that share one wake-up. `progress_s` is the process time of the last finished round."""

    def __init__(self, poll_s: float) -> None:
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._look_due = True
        self._looking = 0
        """Looks under way."""
        self._essential_s = float("-inf")
        """When the last essential look began (process seconds)."""
        self.progress_s: float | None = None
        self.rounds = 0

    def ask_for_look(self) -> None:
        """Read the account as soon as possible."""
        self._look_due = True
        self._wake.set()

    async def listen(self, host: LoopHost) -> None:
        """Book what the feed tells, at once, and wake the loop."""
        async for event in host.feed.events():
            reaction = host.books.on_feed(event)
            if reaction.read_now:
                self._look_due = True
            if reaction.read_now or reaction.fills:
                self._wake.set()

    async def run(self, host: LoopHost) -> None:
        """Act on every wake-up; look at the account when asked to, and at least every poll.

        A look that is slow to be answered holds up neither the next look nor the acts: a stop that vanished just after a slow
        look began is seen by the one after it. Raises what a look raised.
        """
        self._looking = 0
        try:
            async with asyncio.TaskGroup() as looks:
                await self._rounds(host, looks)
        except BaseExceptionGroup as group:
            # one cause is told as itself: the others are the cancellations that followed
            raise group.exceptions[0] from None

    async def _rounds(self, host: LoopHost, looks: asyncio.TaskGroup) -> None:
        while True:
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()
            except TimeoutError:
                self._look_due = True
            self._wake.clear()
            # protection first: what a fill needs is known from the fill, before anything is read
            await host.protect()
            if self._look_due and self._looking < LOOKS_MAX:
                self._look_due = False
                self._looking += 1
                looks.create_task(self._look(host), name="look at the account")
            self.progress_s = host.clock.monotonic()
            self.rounds += 1

    async def _look(self, host: LoopHost) -> None:
        try:
            await whole(host.look(is_essential=self._is_essential(host.clock.monotonic())))
            await host.protect()
        finally:
            self._looking -= 1

    def _is_essential(self, now_s: float) -> bool:
        """True for one look per poll. A storm of events asks for many: those beyond it take what other reads leave."""
        if now_s - self._essential_s < self._poll_s:
            return False
        self._essential_s = now_s
        return True
