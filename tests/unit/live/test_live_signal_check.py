"""The spread check of a signal: an error inside it passes the signal on or refuses it, as configured; it is never lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from risk_builders import a_signal
from trading_system.domain.market import Ticker
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price
from trading_system.live.signal_handler import SignalHost, SignalRefusal, SignalReport, SignalRules, make_candidates
from trading_system.risk.limits import QuoteLimits

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class OddTicker(Ticker):
    """A quote that the quote gate took and whose spread cannot be computed."""

    @property
    def spread(self) -> Decimal:
        return Decimal(1) / Decimal(0)


ODD = OddTicker(Symbol("BTC/USD"), NOON, None, None, None, Price(Decimal(100)), Price(Decimal(100)), Decimal(0))


def checked(*, fails_open: bool) -> SignalReport:
    rules = SignalRules(timedelta(hours=4), QuoteLimits(), spread_fails_open=fails_open)
    host: Any = SimpleNamespace(
        clock=SimpleNamespace(now=lambda: NOON),
        quotes=SimpleNamespace(ticker=lambda symbol: ODD, verdict=lambda symbol, now: None),
        strategy=SimpleNamespace(mark_emitted=lambda signal: None),
        cooldowns=SimpleNamespace(last_emitted=lambda symbol: None),
        journal=SimpleNamespace(record=lambda event, durable: True),
        signal_rules=rules,
    )
    return make_candidates(cast(SignalHost, host), [a_signal()], {})


def test_an_error_inside_the_spread_check_lets_the_signal_pass_by_default_and_is_told() -> None:
    report = checked(fails_open=True)

    assert (len(report.candidates), report.refused) == (1, ())
    assert [type(error).__name__ for error in report.spread_errors] == ["DivisionByZero"]


def test_it_refuses_the_signal_where_it_shall_fail_closed() -> None:
    report = checked(fails_open=False)

    assert [refusal.reason for refusal in report.refused] == [SignalRefusal.SPREAD_CHECK_FAILED]
    assert (report.candidates, len(report.spread_errors)) == ((), 1)
