"""Errors that say what to do next. Order outcomes and business refusals are values, never exceptions."""

from __future__ import annotations


class TradingError(Exception):
    """Base of every error this program raises on purpose."""


class ReadFailed(TradingError):
    """A read or a connect failed: nothing is known. Back off; the next poll is the retry. Never means "empty"."""

    def __init__(self, what: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class InvariantViolation(TradingError):
    """Our own state is impossible: stop entries, keep stops, alert."""


class ConfigError(TradingError):
    """The configuration is refused. The text names the key, the value and what would be right."""
