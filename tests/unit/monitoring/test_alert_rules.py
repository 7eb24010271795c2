"""One alert per type and symbol in a window; urgent ones always; a failed send gives its slot back."""

from __future__ import annotations

from trading_system.monitoring.alert_rules import KEYS_MAX, AlertBook, AlertKey, Deliver, HoldBack

BTC = AlertKey("NAKED_POSITION", "BTC/USD")
ETH = AlertKey("NAKED_POSITION", "ETH/USD")


def test_a_second_alert_of_the_same_key_waits_for_the_window() -> None:
    book = AlertBook(300)

    assert book.decide(BTC, 0, is_urgent=False) == Deliver(0)
    assert book.decide(BTC, 299.9, is_urgent=False) == HoldBack(299.9)
    assert book.decide(BTC, 300, is_urgent=False) == Deliver(1)
    assert book.decide(BTC, 601, is_urgent=False) == Deliver(0)


def test_another_symbol_or_kind_has_a_slot_of_its_own() -> None:
    book = AlertBook(300)
    book.decide(BTC, 0, is_urgent=False)

    assert book.decide(ETH, 1, is_urgent=False) == Deliver(0)
    assert book.decide(AlertKey("EXCEPTION", "BTC/USD"), 1, is_urgent=False) == Deliver(0)
    assert book.decide(AlertKey("NAKED_POSITION", None), 1, is_urgent=False) == Deliver(0)


def test_an_urgent_alert_goes_out_whatever_went_before() -> None:
    book = AlertBook(300)
    book.decide(BTC, 0, is_urgent=False)

    assert book.decide(BTC, 1, is_urgent=True) == Deliver(0)


def test_after_a_failed_send_the_next_one_goes_out() -> None:
    book = AlertBook(300)
    book.decide(BTC, 0, is_urgent=False)
    book.release(BTC)

    assert book.decide(BTC, 1, is_urgent=False) == Deliver(0)


def test_a_clock_that_went_back_does_not_silence_alerts() -> None:
    book = AlertBook(300)
    book.decide(BTC, 1000, is_urgent=False)

    assert book.decide(BTC, 10, is_urgent=False) == Deliver(0)


def test_memory_is_bounded() -> None:
    book = AlertBook(300)
    for number in range(KEYS_MAX + 50):
        book.decide(AlertKey("EXCEPTION", str(number)), 0, is_urgent=False)

    assert len(book._slots) == KEYS_MAX
    assert book.decide(AlertKey("EXCEPTION", "0"), 1, is_urgent=False) == Deliver(0)
