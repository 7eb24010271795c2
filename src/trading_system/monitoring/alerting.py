"""Tells humans. `alert()` returns at once and is never awaited by trading; one supervised task delivers.

Waiting alerts are bounded and per key: a newer one of the same type and symbol replaces the older, so a dead channel cannot
pile up memory. Every alert is a log line as well, whatever the channels do.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from trading_system.domain import log_events
from trading_system.domain.alert_kinds import AlertKind, Severity
from trading_system.domain.protocols import Clock
from trading_system.monitoring.alert_channels import AlertChannel, AlertMessage, SendFailed
from trading_system.monitoring.alert_rules import AlertBook, AlertKey, Deliver
from trading_system.monitoring.log_render import Redactor, cap, escape
from trading_system.monitoring.logging_setup import get_logger

log = get_logger(__name__)

WAITING_MAX: Final = 500
ATTEMPTS_MAX: Final = 12
RETRY_S: Final = (2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: AlertMessage
    due_s: float
    attempts: int = 0


class AlertDispatcher:
    """The Alerter port over some channels. `run()` is started by the supervisor; without channels it only logs."""

    def __init__(
        self, clock: Clock, channels: Sequence[AlertChannel], *, repeat_s: float, is_enabled: bool = True, redact: Redactor | None = None
    ) -> None:
        self._clock = clock
        self._channels = tuple(channels) if is_enabled else ()
        self._book = AlertBook(repeat_s)
        self._redact = redact or Redactor()
        self._waiting: OrderedDict[tuple[AlertKey, int], _Waiting] = OrderedDict()
        self._wake = asyncio.Event()

    def alert(self, kind: str, text: str, *, symbol: str | None = None, urgent: bool = False) -> None:
        """Log the alert and queue it for every channel, unless the same kind and symbol went out within the window."""
        severity = severity_of(kind, urgent=urgent)
        clean = "\n".join(escape(line) for line in cap(self._redact(text)).split("\n"))
        self._log(severity, kind, clean, symbol)
        if not self._channels:
            return
        key, now = AlertKey(kind, symbol), self._clock.monotonic()
        decision = self._book.decide(key, now, is_urgent=urgent or severity is Severity.CRITICAL)
        if not isinstance(decision, Deliver):
            return
        if decision.suppressed:
            clean += f"\n({decision.suppressed} more of this kind were held back)"
        for index in range(len(self._channels)):
            self._put((key, index), _Waiting(AlertMessage(kind, severity.name, clean, symbol), now))
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Alerts not delivered yet, counted per channel."""
        return len(self._waiting)

    async def run(self) -> None:
        """Deliver for ever; cancelled at shutdown (see `drain`)."""
        while True:
            self._wake.clear()
            await self._send_due()
            if not self._waiting:
                await self._wake.wait()
                continue
            wait = min(item.due_s for item in self._waiting.values()) - self._clock.monotonic()
            if wait > 0:
                # short enough that a new alert does not wait for the retry of an old one
                await self._clock.sleep(min(wait, 1.0))

    async def drain(self) -> None:
        """Try everything that waits once more, for a shutdown."""
        now = self._clock.monotonic()
        for place, item in list(self._waiting.items()):
            self._waiting[place] = replace(item, due_s=now)
        await self._send_due()

    async def _send_due(self) -> None:
        now = self._clock.monotonic()
        for place, item in list(self._waiting.items()):
            if item.due_s <= now:
                failure = await self._channels[place[1]].send(item.message)
                self._conclude(place, item, failure)

    def _conclude(self, place: tuple[AlertKey, int], item: _Waiting, failure: SendFailed | None) -> None:
        is_replaced = self._waiting.get(place) is not item
        if failure is None:
            if not is_replaced:
                del self._waiting[place]
            log.debug(log_events.ALERT_SENT, kind=item.message.kind, symbol=item.message.symbol)
            return
        self._book.release(place[0])
        attempts = item.attempts + 1
        log.warning(log_events.ALERT_SEND_FAILED, kind=item.message.kind, reason=failure.reason, attempts=attempts)
        if is_replaced:
            return
        if attempts >= ATTEMPTS_MAX:
            del self._waiting[place]
            log.error(log_events.ALERT_DROPPED, kind=item.message.kind, symbol=item.message.symbol, attempts=attempts)
            return
        pause = failure.retry_after_s or RETRY_S[min(attempts - 1, len(RETRY_S) - 1)]
        self._waiting[place] = replace(item, due_s=self._clock.monotonic() + pause, attempts=attempts)

    def _put(self, place: tuple[AlertKey, int], item: _Waiting) -> None:
        self._waiting.pop(place, None)
        while len(self._waiting) >= WAITING_MAX:
            _, lost = self._waiting.popitem(last=False)
            log.error(log_events.ALERT_DROPPED, kind=lost.message.kind, symbol=lost.message.symbol, attempts=lost.attempts)
        self._waiting[place] = item

    def _log(self, severity: Severity, kind: str, text: str, symbol: str | None) -> None:
        event = log_events.ALERT if self._channels else log_events.ALERT_NO_TARGET
        fields = {"kind": kind, "severity": severity.name, "text": text} | ({"symbol": symbol} if symbol else {})
        match severity:
            case Severity.INFO:
                log.info(event, **fields)
            case Severity.WARNING:
                log.warning(event, **fields)
            case Severity.CRITICAL:
                log.error(event, **fields)


def severity_of(kind: str, *, urgent: bool = False) -> Severity:
    """The severity of a kind; WARNING for an unknown word; urgent ones are CRITICAL."""
    if urgent:
        return Severity.CRITICAL
    try:
        return AlertKind(kind).severity
    except ValueError:
        return Severity.WARNING
