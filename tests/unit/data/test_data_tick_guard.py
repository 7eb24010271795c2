"""Which quotes are believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from data_builders import ADA, D, a_ticker, at

from trading_system.data.tick_guard import QuoteAccepted, QuoteFault, QuoteRefused, TickGuard
from trading_system.domain.market import Ticker
from trading_system.domain.units import Price


def quote(price: int, second: float = 0, mark: str | None = None) -> Ticker:
    return a_ticker(bid=str(price - 1), ask=str(price + 1), mark=mark, when=at(seconds=second))


def a_guard(accepted: int = 1000) -> TickGuard:
    guard = TickGuard()
    assert isinstance(guard.judge(quote(accepted, mark=str(accepted)), at()), QuoteAccepted)
    return guard


def fault_of(verdict: object) -> QuoteFault | None:
    return verdict.fault if isinstance(verdict, QuoteRefused) else None


@pytest.mark.parametrize(
    ("ticker", "now", "fault"),
    [
        (quote(1000), at(seconds=30.001), QuoteFault.STALE),
        (quote(1000, second=6), at(), QuoteFault.FROM_THE_FUTURE),
        (a_ticker(bid=None), at(), QuoteFault.SIDE_MISSING),
        (a_ticker(ask="NaN"), at(), QuoteFault.NOT_FINITE),
        (a_ticker(bid="-Infinity"), at(), QuoteFault.NOT_FINITE),
        (a_ticker(bid="0"), at(), QuoteFault.NOT_POSITIVE),
        (a_ticker(bid="101", ask="100"), at(), QuoteFault.CROSSED),
        (a_ticker(bid="100", ask="100"), at(), QuoteFault.CROSSED),
    ],
)
def test_a_faulty_quote_is_refused_with_its_fault(ticker: Ticker, now: datetime, fault: QuoteFault) -> None:
    assert fault_of(a_guard(100).judge(ticker, now)) is fault


def test_a_quote_of_exactly_thirty_seconds_is_still_good() -> None:
    assert isinstance(a_guard().judge(quote(1000), at(seconds=30)), QuoteAccepted)


def test_a_jump_over_ten_percent_on_thin_volume_is_an_outlier_and_on_real_volume_is_not() -> None:
    assert a_guard().judge(quote(1101), at(), volume_ratio=D("0.09")) == QuoteRefused(ADA, QuoteFault.OUTLIER, D("0.10"), D("0.101"))
    assert isinstance(a_guard().judge(quote(1100), at(), volume_ratio=D("0.09")), QuoteAccepted)
    assert isinstance(a_guard().judge(quote(1101), at(), volume_ratio=D("0.1")), QuoteAccepted)


def test_a_jump_on_unknown_volume_counts_as_thin() -> None:
    assert fault_of(a_guard().judge(quote(1101), at())) is QuoteFault.OUTLIER


def test_a_jump_over_eight_atr_is_an_outlier_on_any_volume() -> None:
    assert fault_of(a_guard().judge(quote(1081), at(), atr_4h=D(10), volume_ratio=D(5))) is QuoteFault.OUTLIER
    assert isinstance(a_guard().judge(quote(1080), at(), atr_4h=D(10), volume_ratio=D(5)), QuoteAccepted)


def test_a_real_crash_is_believed_at_once_when_the_mark_confirms_it() -> None:
    verdict = a_guard().judge(quote(350, mark="351"), at(), atr_4h=D(5))

    assert verdict == QuoteAccepted(ADA, at(), Price(D(350)))


def test_a_real_crash_is_believed_after_three_agreeing_quotes() -> None:
    guard = a_guard()

    verdicts = [guard.judge(quote(350 + i, second=i, mark="1000"), at(seconds=i)) for i in range(4)]

    assert [fault_of(v) for v in verdicts] == [QuoteFault.OUTLIER, QuoteFault.OUTLIER, None, None]


def test_the_same_quote_read_three_times_is_one_quote() -> None:
    guard = a_guard()

    verdicts = [guard.judge(quote(350, second=1, mark="1000"), at(seconds=i)) for i in range(1, 6)]

    assert {fault_of(v) for v in verdicts} == {QuoteFault.OUTLIER}


def test_quotes_of_one_stamp_are_one_quote_even_when_their_marks_differ() -> None:
    guard = a_guard()

    verdicts = [guard.judge(quote(350, second=1, mark=str(1000 + i)), at(seconds=1)) for i in range(5)]

    assert {fault_of(v) for v in verdicts} == {QuoteFault.OUTLIER}


def test_quotes_that_jump_about_never_agree() -> None:
    guard = a_guard()

    verdicts = [guard.judge(quote(350 + 50 * (i % 2), second=i), at(seconds=i)) for i in range(10)]

    assert {fault_of(v) for v in verdicts} == {QuoteFault.OUTLIER}


def test_a_normal_quote_between_two_outliers_starts_their_count_again() -> None:
    guard = a_guard()
    told = [350, 350, 1000, 350, 350, 350]

    verdicts = [guard.judge(quote(price, second=i), at(seconds=i)) for i, price in enumerate(told)]

    assert [fault_of(v) is None for v in verdicts] == [False, False, True, False, False, True]


def test_the_first_quote_of_a_market_needs_the_mark_or_two_more_like_it() -> None:
    alone, confirmed = TickGuard(), TickGuard()

    assert isinstance(confirmed.judge(quote(1000, mark="1001"), at()), QuoteAccepted)
    first = [fault_of(alone.judge(quote(1000, second=i), at(seconds=i))) for i in range(3)]
    assert first == [QuoteFault.UNCONFIRMED_FIRST, QuoteFault.UNCONFIRMED_FIRST, None]


def test_a_refused_quote_does_not_move_the_reference() -> None:
    guard = a_guard()
    guard.judge(quote(2000, second=1), at(seconds=1))

    assert guard.last_accepted(ADA) == Price(D(1000))
    assert isinstance(guard.judge(replace(quote(1001), at=at(seconds=2)), at(seconds=2)), QuoteAccepted)
