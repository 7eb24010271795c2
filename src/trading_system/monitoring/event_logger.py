"""The logger every room uses: `log.info("STOP_PLACED", symbol=s, trigger_price=p)`.

At the caller only what must be pinned is pinned (context, traceback, mutable values); rendering, masking and writing happen
on the writer thread. A line below the level costs a comparison.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import TracebackType
from typing import Any, Final, TypeAlias, cast

import structlog
from structlog.contextvars import merge_contextvars

from trading_system.monitoring.log_render import EventMessage, text_of

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_FIXED: Final = (str, int, float, bool, Decimal, datetime, timedelta, Enum, type(None))


class EventLogger(structlog.BoundLoggerBase):
    """Bound fields plus one method per level. `exc_info=True` attaches the exception being handled, `exc_info=error` that one."""

    def bind(self, **fields: Any) -> EventLogger:
        """A logger that adds `fields` to each of its lines."""
        return super().bind(**fields)

    def is_enabled_for(self, level: int) -> bool:
        """To skip building costly fields."""
        return bool(self._logger.isEnabledFor(level))

    def debug(self, event: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.INFO):
            self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.WARNING):
            self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.ERROR):
            self._write(logging.ERROR, event, fields)

    def critical(self, event: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.CRITICAL):
            self._write(logging.CRITICAL, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """`error` with the exception being handled."""
        self.error(event, **{"exc_info": True, **fields})

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        exc_info = pin_exception(fields.pop("exc_info", None))
        merged = merge_contextvars(None, "", {**self._context, **fields})
        message = EventMessage(event, {key: freeze(value) for key, value in merged.items()})
        logger: logging.Logger = self._logger
        # no findCaller: the event name says where to look, and walking frames costs more than the rest together
        logger.handle(logger.makeRecord(logger.name, level, "", 0, cast(str, message), (), exc_info))


def get_logger(name: str) -> EventLogger:
    """The logger of a module: `log = get_logger(__name__)`. Usable before `setup_logging`, which then takes over."""
    return EventLogger(logging.getLogger(name), [], {})


def pin_exception(given: Any) -> ExcInfo | None:
    """Turn True / an exception into the real tuple now: on the writer thread `sys.exc_info()` is empty."""
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if isinstance(given, tuple):
        return cast(ExcInfo, given) if given[0] is not None else None
    current = sys.exc_info() if given else (None, None, None)
    return cast(ExcInfo, current) if current[0] is not None else None


def freeze(value: Any) -> Any:
    """A value that later changes cannot reach: containers are copied, unknown objects become their text now."""
    if isinstance(value, _FIXED):
        return value
    if isinstance(value, Mapping):
        return {str(key): freeze(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(freeze(item) for item in value)
    return text_of(value)
