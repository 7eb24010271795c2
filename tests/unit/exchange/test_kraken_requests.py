"""Domain orders to the exact words on the wire."""

from __future__ import annotations

from datetime import timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_builders import AT, BTC, D, a_stop, an_entry, an_instrument

from trading_system.domain.orders import (
    ClientOrderId,
    EntryStyle,
    ExitOrder,
    OrderRequest,
    Side,
    StopAmendment,
    TakeProfitOrder,
    VenueOrderId,
)
from trading_system.domain.units import Price, Qty
from trading_system.exchange.kraken_futures.requests import (
    Unsendable,
    WireRequest,
    build_cancel,
    build_send,
    build_stop_amendment,
    iso_ms,
)
from trading_system.exchange.kraken_futures.wire_values import plain
from trading_system.exchange.kraken_futures.write_gate import WriteKind

BASE = {"symbol": "PF_XBTUSD", "size": "0.01"}


def parameters_of(order: OrderRequest) -> dict[str, str]:
    built = build_send(order, an_instrument())
    assert isinstance(built, WireRequest)
    return built.parameters


@pytest.mark.parametrize(("style", "word"), [(EntryStyle.IOC, "ioc"), (EntryStyle.LIMIT, "lmt"), (EntryStyle.POST_ONLY, "post")])
def test_an_entry_is_limited_in_price_and_in_time(style: EntryStyle, word: str) -> None:
    assert parameters_of(an_entry(style)) == {
        **BASE,
        "side": "buy",
        "cliOrdId": "e-1",
        "orderType": word,
        "processBefore": "2026-09-07T05:30:00.000Z",
        "limitPrice": "80000",
    }


def test_a_stop_is_reduce_only_on_mark_and_has_no_limit() -> None:
    assert parameters_of(a_stop()) == {
        **BASE,
        "side": "sell",
        "cliOrdId": "s-1",
        "orderType": "stp",
        "reduceOnly": "true",
        "triggerSignal": "mark",
        "stopPrice": "78000",
    }


def test_take_profits_and_exits_are_reduce_only() -> None:
    take_profit = TakeProfitOrder(ClientOrderId("t"), BTC, Side.SELL, Qty(D("0.01")), Price(D("85000")))
    market = ExitOrder(ClientOrderId("x"), BTC, Side.SELL, Qty(D("0.01")), None)
    limited = ExitOrder(ClientOrderId("x"), BTC, Side.SELL, Qty(D("0.01")), Price(D("79000")))
    rest = {**BASE, "side": "sell", "reduceOnly": "true"}

    assert parameters_of(take_profit) == {**rest, "cliOrdId": "t", "orderType": "lmt", "limitPrice": "85000"}
    assert parameters_of(market) == {**rest, "cliOrdId": "x", "orderType": "mkt"}
    assert parameters_of(limited) == {**rest, "cliOrdId": "x", "orderType": "ioc", "limitPrice": "79000"}


def test_a_stop_moves_trigger_and_size_in_one_edit() -> None:
    built = build_stop_amendment(
        StopAmendment(ClientOrderId("s-1"), VenueOrderId("o-1"), BTC, Qty(D("0.02")), Price(D("78500"))), an_instrument()
    )

    assert built == WireRequest(WriteKind.PROTECTIVE, {"orderId": "o-1", "size": "0.02", "stopPrice": "78500", "qtyMode": "RELATIVE"})


def test_an_edit_that_the_network_holds_up_is_dropped_by_the_venue() -> None:
    amendment = StopAmendment(ClientOrderId("s-1"), VenueOrderId("o-1"), BTC, Qty(D("0.02")), Price(D("78500")), AT)

    built = build_stop_amendment(amendment, an_instrument())

    assert isinstance(built, WireRequest)
    assert built.parameters["processBefore"] == iso_ms(AT)


def test_a_cancel_uses_the_venues_id_when_known() -> None:
    assert build_cancel(ClientOrderId("c"), VenueOrderId("o")) == WireRequest(WriteKind.CANCEL, {"order_id": "o"})
    assert build_cancel(ClientOrderId("c"), None) == WireRequest(WriteKind.CANCEL, {"cliOrdId": "c"})
    assert isinstance(build_cancel(None, None), Unsendable)


@pytest.mark.parametrize(
    "order",
    [
        an_entry(qty="0.00005"),
        an_entry(limit="80000.5"),
        an_entry(qty="0"),
        an_entry(qty="-1"),
        an_entry(qty="NaN"),
        an_entry(qty="1e30"),
        an_entry(limit="Infinity"),
        an_entry(client_id=""),
        an_entry(client_id="x" * 101),
        a_stop(trigger="78000.5"),
        a_stop(trigger="0"),
    ],
)
def test_an_order_off_its_steps_is_refused_before_any_send(order: OrderRequest) -> None:
    assert isinstance(build_send(order, an_instrument()), Unsendable)


def test_without_contract_facts_an_entry_waits_and_a_stop_goes() -> None:
    assert isinstance(build_send(an_entry(), None), Unsendable)
    assert isinstance(build_send(a_stop(), None), WireRequest)


def test_steps_above_one_and_tiny_ticks_are_written_without_exponent() -> None:
    pepe = an_instrument(tick="1E-10", step="1000", symbol="PEPE/USD", venue="PF_PEPEUSD")
    built = build_send(a_stop(qty="5E+3", trigger="4.0294E-6"), pepe)

    assert isinstance(built, WireRequest)
    assert (built.parameters["size"], built.parameters["stopPrice"]) == ("5000", "0.0000040294")


@given(st.decimals(min_value="-1e12", max_value="1e12", allow_nan=False, allow_infinity=False))
def test_plain_numbers_keep_their_value_and_have_no_exponent(value: Decimal) -> None:
    text = plain(value)

    assert Decimal(text) == value
    assert "e" not in text.lower()


def test_process_before_is_utc_whatever_the_zone() -> None:
    assert iso_ms(AT.astimezone(timezone(timedelta(hours=5)))) == "2026-09-07T05:30:00.000Z"
