"""Sets up all logging of the process: console (or journal), logs/run.log for people, logs/run.jsonl for machines.

Everything goes through one chain: our events, ccxt, aiohttp, warnings, uncaught exceptions, exceptions in threads.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

from trading_system.domain import log_events
from trading_system.monitoring.event_logger import EventLogger, get_logger
from trading_system.monitoring.log_render import Redactor
from trading_system.monitoring.log_writer import FileWriter, JsonFormatter, LineFormatter, LogQueue, LogWriter, StreamWriter

__all__ = ["EventLogger", "LogSettings", "Logging", "get_logger", "loop_exception_handler", "setup_logging"]

LINE_FILE: Final = "run.log"
JSON_FILE: Final = "run.jsonl"
_NOISY: Final = ("asyncio", "ccxt", "aiohttp.access", "urllib3", "sqlalchemy.engine", "alembic")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """directory: None = console only. Files are rotated at `file_mb` MiB and `files_kept` old ones stay."""

    directory: Path | None = None
    level: str = "INFO"
    file_mb: int = 50
    files_kept: int = 10


class Logging:
    """The running chain. `stop()` flushes it and puts back what was there before."""

    def __init__(self, writer: LogWriter) -> None:
        self.writer = writer
        self._root = logging.getLogger()
        self._before = (self._root.handlers[:], self._root.level, sys.excepthook, threading.excepthook, sys.unraisablehook)

    def install(self, level: str) -> None:
        self.writer.start()
        self._root.handlers[:] = [LogQueue(self.writer)]
        self._root.setLevel(level)
        for name in _NOISY:
            logging.getLogger(name).setLevel(max(logging.WARNING, self._root.level))
        logging.captureWarnings(True)
        sys.excepthook = _log_uncaught
        threading.excepthook = _log_thread_exception
        sys.unraisablehook = _log_unraisable

    def stop(self) -> None:
        """Write everything queued; further lines go to the handlers of before."""
        handlers, level, excepthook, thread_hook, unraisable = self._before
        self._root.handlers[:] = handlers
        self._root.setLevel(level)
        logging.captureWarnings(False)
        sys.excepthook, threading.excepthook, sys.unraisablehook = excepthook, thread_hook, unraisable
        structlog.reset_defaults()
        self.writer.stop()


def setup_logging(settings: LogSettings, secrets: Iterable[str] = (), *, console: TextIO | None = None) -> Logging:
    """Start the chain. `secrets`: texts masked in every line (`Secrets.values()`); `console`: default stderr."""
    redact = Redactor(secrets)
    stream = sys.stderr if console is None else console
    screen = StreamWriter(stream)
    is_journal = is_journal_stream(stream, os.environ)
    screen.setFormatter(LineFormatter(redact, is_coloured=not is_journal and _is_terminal(stream), is_journal=is_journal))
    handlers: list[logging.Handler] = [screen]
    if settings.directory is not None:
        for name, formatter in ((LINE_FILE, LineFormatter(redact)), (JSON_FILE, JsonFormatter(redact))):
            file = FileWriter(settings.directory / name, bytes_max=settings.file_mb << 20, kept=settings.files_kept)
            file.setFormatter(formatter)
            handlers.append(file)
    # rooms that may not import this one take `structlog.get_logger(name)`: the same chain
    structlog.configure(
        processors=[], wrapper_class=EventLogger, logger_factory=structlog.stdlib.LoggerFactory(), cache_logger_on_first_use=False
    )
    running = Logging(LogWriter(handlers))
    running.install(settings.level)
    return running


def is_journal_stream(stream: TextIO, env: Mapping[str, str]) -> bool:
    """True when `stream` is the socket systemd connected to the journal (device and inode of JOURNAL_STREAM match)."""
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return env.get("JOURNAL_STREAM") == f"{facts.st_dev}:{facts.st_ino}"


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ


def loop_exception_handler(loop: object, context: Mapping[str, Any]) -> None:
    """For `loop.set_exception_handler`: what nobody awaited still becomes a line, without the objects in `context`."""
    error = context.get("exception")
    get_logger("asyncio").error(log_events.UNCAUGHT_EXCEPTION, message=context.get("message", ""), exc_info=error or False)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    get_logger("process").critical(log_events.UNCAUGHT_EXCEPTION, error=kind.__name__, exc_info=(kind, error, trace))


def _log_thread_exception(args: threading.ExceptHookArgs) -> None:
    thread = args.thread.name if args.thread else "unknown"
    get_logger("process").critical(
        log_events.UNCAUGHT_EXCEPTION, thread=thread, error=args.exc_type.__name__, exc_info=args.exc_value or False
    )


def _log_unraisable(args: sys.UnraisableHookArgs) -> None:
    get_logger("process").error(log_events.UNCAUGHT_EXCEPTION, where=args.err_msg or "destructor", exc_info=args.exc_value or False)
