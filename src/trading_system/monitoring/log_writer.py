"""The writer thread: takes records from a bounded queue, renders, masks and writes them.

A full queue drops DEBUG and INFO (counted and reported), writes warnings in place and never blocks trading. A handler that
cannot write (disk full) is counted and said once on stderr, without the record: Python's default would print its arguments.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import queue
import sys
import threading
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, Protocol, TextIO

from trading_system.domain import log_events
from trading_system.monitoring.event_logger import pin_exception
from trading_system.monitoring.log_render import (
    TRACEBACK_LENGTH_MAX,
    EventMessage,
    Redactor,
    cap,
    escape,
    moment,
    render_json,
    render_line,
    render_traceback,
)

QUEUE_LENGTH: Final = 20_000
_LEVEL_NAMES: Final = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
_PRIORITIES: Final = {10: 7, 20: 6, 30: 4, 40: 3, 50: 2}
_COLOURS: Final = {10: "\x1b[2m", 20: "\x1b[1m", 30: "\x1b[1;33m", 40: "\x1b[1;31m", 50: "\x1b[1;37;41m"}
_RESET: Final = "\x1b[0m"


def _message_of(record: logging.LogRecord) -> EventMessage:
    """Ours as it is; a library's text becomes the `message` field of a LIBRARY event."""
    return record.msg if isinstance(record.msg, EventMessage) else EventMessage(log_events.LIBRARY, {"message": record.getMessage()})


def _traceback_of(record: logging.LogRecord) -> str:
    return "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else record.exc_text or ""


def _facts(record: logging.LogRecord) -> dict[str, str]:
    return {
        "at": moment(datetime.fromtimestamp(record.created, UTC)),
        "level": _LEVEL_NAMES.get(record.levelno, str(record.levelno)),
        "logger": record.name.removeprefix("trading_system."),
    }


class LineFormatter(logging.Formatter):
    """`EVENT key=value … at=… level=… logger=…`, tracebacks indented below."""

    def __init__(self, redact: Redactor, *, is_coloured: bool = False, is_journal: bool = False) -> None:
        super().__init__()
        self._redact = redact
        self._is_coloured = is_coloured
        self._is_journal = is_journal

    def format(self, record: logging.LogRecord) -> str:
        message = _message_of(record)
        # journald keeps time and priority itself
        facts: dict[str, str] = {"logger": _facts(record)["logger"]} if self._is_journal else _facts(record)
        fields = {**message.fields, **{key: value for key, value in facts.items() if key not in message.fields}}
        text = self._redact(render_line(message.event, fields, self._redact))
        if self._is_coloured:
            event = self._redact(escape(message.event))
            text = f"{_COLOURS.get(record.levelno, '')}{event}{_RESET}{text.removeprefix(event)}"
        trace = _traceback_of(record)
        if trace:
            text += "\n" + render_traceback(trace, self._redact)
        if self._is_journal:
            prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
            text = prefix + text.replace("\n", f"\n{prefix}")
        return text


class JsonFormatter(logging.Formatter):
    """One JSON object per record, traceback inside."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        message, trace = _message_of(record), _traceback_of(record)
        fields = dict(message.fields)
        if trace:
            fields["traceback"] = tuple(escape(line) for line in cap(self._redact(trace), TRACEBACK_LENGTH_MAX).rstrip("\n").split("\n"))
        return self._redact(render_json(message.event, fields, _facts(record), self._redact))


class _Quiet(Protocol):
    write_errors: int


def _count_error(handler: _Quiet) -> None:
    """Say once that writing fails, without the record that could not be written."""
    handler.write_errors += 1
    if handler.write_errors == 1:
        fault = sys.exc_info()[0]
        with contextlib.suppress(OSError, ValueError):
            sys.__stderr__.write(f"log line not written: {fault.__name__ if fault else 'unknown'}\n")  # type: ignore[union-attr]


class StreamWriter(logging.StreamHandler[TextIO]):
    """Console or journal."""

    write_errors = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        _count_error(self)


class FileWriter(logging.handlers.RotatingFileHandler):
    """A rotated file, readable by its owner and group only."""

    write_errors = 0

    def __init__(self, path: Path, *, bytes_max: int, kept: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=bytes_max, backupCount=kept, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> Any:
        def opener(name: str, flags: int) -> int:
            return os.open(name, flags, 0o640)

        file: IO[str] = open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=opener)  # noqa: SIM115
        return file

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        _count_error(self)


class LogQueue(logging.handlers.QueueHandler):
    """What the root logger writes to: one `put`."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__(writer.queue)
        self._writer = writer

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Pin what would change or vanish before the writer thread gets to it."""
        if not isinstance(record.msg, EventMessage):
            record.msg, record.args = record.getMessage(), None
            record.exc_info = pin_exception(record.exc_info)
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        self._writer.take(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self._writer.dropped += 1


class LogWriter:
    """The queue, its thread and the handlers. `stop()` writes what is queued."""

    def __init__(self, handlers: Sequence[logging.Handler], *, length: int = QUEUE_LENGTH) -> None:
        self.queue: queue.Queue[logging.LogRecord | None] = queue.Queue(length)
        self.handlers = tuple(handlers)
        self.dropped = 0
        self._reported = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Write everything queued, then end the thread; returns after `timeout_s` even if a disk hangs."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self.queue.put(None, timeout=timeout_s)
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            for handler in self.handlers:
                with contextlib.suppress(OSError):  # a full disk must not turn a clean stop into a crash
                    handler.close()

    def take(self, record: logging.LogRecord) -> None:
        """Queue a record; when the queue is full write warnings in place and count the rest as dropped."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            if record.levelno >= logging.WARNING:
                self._write(record)
            else:
                self.dropped += 1

    @property
    def write_errors(self) -> int:
        """Lines that a handler could not write."""
        return sum(getattr(handler, "write_errors", 0) for handler in self.handlers)

    def _run(self) -> None:
        while (record := self.queue.get()) is not None:
            self._write(record)
            if self.dropped != self._reported and self.queue.empty():
                self._report_dropped()

    def _report_dropped(self) -> None:
        total, self._reported = self.dropped - self._reported, self.dropped
        message: Any = EventMessage(log_events.LOG_LINES_DROPPED, {"count": total})
        self._write(logging.LogRecord(__name__, logging.WARNING, "", 0, message, (), None))

    def _write(self, record: logging.LogRecord) -> None:
        for handler in self.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)
