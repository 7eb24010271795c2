"""Public answers: exact decimals, missing sides, margin schedules, candles as text; and every recorded payload there is."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_builders import AT, BTC, D, T

from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Bar, TradingStatus
from trading_system.exchange.kraken_futures.wire_public import (
    DEFAULT_MARGIN_LEVELS,
    parse_candles,
    parse_instruments,
    parse_order_book,
    parse_server_time,
    parse_tickers,
)

TICKER = (
    '{"symbol":"PF_XBTUSD","last":79842.0,"markPrice":79839.6,"bid":79841,"ask":79842,"vol24h":8309.25,"volumeQuote":663427000.1,'
    '"openInterest":1950.59,"fundingRate":1.2,"suspended":false,"indexPrice":79832.44,"postOnly":false}'
)


def tickers_answer(*rows: str) -> bytes:
    return f'{{"result":"success","serverTime":"{T}","tickers":[{",".join(rows)}]}}'.encode()


def instruments_answer(*rows: str) -> bytes:
    return f'{{"result":"success","serverTime":"{T}","instruments":[{",".join(rows)}]}}'.encode()


def test_a_quote_is_read_exactly_as_of_the_servers_time() -> None:
    quote = parse_tickers(tickers_answer(TICKER), AT).items[0]

    assert (quote.symbol, quote.at, quote.bid, quote.ask, quote.volume_quote_24h) == (BTC, AT, D("79841"), D("79842"), D("663427000.1"))
    assert quote.funding_rate_hourly == D("1.2") / D("79839.6")


def test_the_relative_funding_rate_is_preferred_when_told() -> None:
    row = TICKER[:-1] + ',"relativeFundingRate":1.5e-05}'

    assert parse_tickers(tickers_answer(row), AT).items[0].funding_rate_hourly == D("0.000015")


@given(st.decimals(min_value="1e-12", max_value="1e9", allow_nan=False, allow_infinity=False, places=12))
def test_no_price_picks_up_a_binary_artefact(price: Decimal) -> None:
    row = f'{{"symbol":"PF_XBTUSD","bid":{price:f},"markPrice":{price:e}}}'

    quote = parse_tickers(tickers_answer(row), AT).items[0]

    assert (quote.bid, quote.mark) == (price, price)


@pytest.mark.parametrize("value", ["null", "0", "-5"])
def test_a_missing_side_is_none_and_never_zero(value: str) -> None:
    quote = parse_tickers(tickers_answer(f'{{"symbol":"PF_XBTUSD","bid":{value},"ask":79842}}'), AT).items[0]

    assert (quote.bid, quote.ask, quote.last, quote.spread) == (None, D("79842"), None, None)


@pytest.mark.parametrize(
    ("flag", "status"),
    [('"suspended":true', TradingStatus.SUSPENDED), ('"postOnly":true', TradingStatus.POST_ONLY), ('"x":1', TradingStatus.OPEN)],
)
def test_market_modes_travel_with_the_quote(flag: str, status: TradingStatus) -> None:
    assert parse_tickers(tickers_answer(f'{{"symbol":"PF_XBTUSD",{flag}}}'), AT).items[0].status is status


def test_one_broken_quote_loses_itself_only_and_other_families_are_passed_over() -> None:
    rows = ('{"symbol":"PF_XBTUSD","bid":"soon"}', '{"symbol":"PI_XBTUSD","bid":1}', '{"symbol":"in_xbtusd","last":1}', "[]")

    parsed = parse_tickers(tickers_answer(*rows, '{"symbol":"PF_ETHUSD","bid":2}'), AT)

    assert [quote.symbol for quote in parsed.items] == ["ETH/USD"]
    assert [issue.where for issue in parsed.issues] == ["tickers[0]", "tickers[3]"]


def test_two_spellings_of_one_market_do_not_become_two_markets() -> None:
    parsed = parse_tickers(tickers_answer('{"symbol":"PF_XBTUSD","bid":1}', '{"symbol":"PF_BTCUSD","bid":2}'), AT)

    assert [(quote.symbol, quote.bid) for quote in parsed.items] == [(BTC, D("1"))]
    assert "second spelling" in parsed.issues[0].detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"[]",
        b'{"result":"success"}',
        b'{"result":"success","tickers":null}',
        b'{"result":"error","error":"apiLimitExceeded"}',
        b'{"status":"BAD_REQUEST","result":"error","errors":[{"code":11,"message":"invalid order type"}]}',
        b'{"result":"success","tickers":[{"symbol":"PF_XBTUSD","bid":NaN}]}',
    ],
)
def test_anything_but_a_success_with_its_list_is_a_failed_read(body: bytes) -> None:
    with pytest.raises(ReadFailed):
        parse_tickers(body, AT)


def test_size_steps_follow_the_precision_below_and_above_one() -> None:
    def row(name: str, precision: int) -> str:
        return f'{{"symbol":"{name}","tickSize":0.0000000001,"contractValueTradePrecision":{precision},"tradeable":true}}'

    parsed = parse_instruments(instruments_answer(row("PF_XBTUSD", 4), row("PF_PEPEUSD", -3), row("PF_DOGEUSD", 0)))

    assert [str(one.size_step) for one in parsed.items] == ["0.0001", "1000", "1"]
    assert [one.size_min for one in parsed.items] == [D("0.0001"), D("1000"), D("1")]
    assert parsed.items[0].tick == D("1E-10")


def test_a_missing_margin_schedule_becomes_the_dear_class_d_with_an_issue() -> None:
    parsed = parse_instruments(instruments_answer('{"symbol":"PF_XBTUSD","tickSize":1,"contractValueTradePrecision":4}'))

    assert parsed.items[0].margin_levels == DEFAULT_MARGIN_LEVELS
    assert "class D" in parsed.issues[0].detail
    assert parsed.items[0].margin_level(D("300000")).initial == D("0.20")


def test_margin_levels_are_sorted_and_retail_ones_used_on_request() -> None:
    level = '{{"numNonContractUnits":{0},"initialMargin":{1},"maintenanceMargin":{2}}}'
    normal = ",".join([level.format(500000, 0.04, 0.02), level.format(0.0, 0.02, 0.01)])
    retail = level.format(0, 0.1, 0.05)
    row = (
        '{"symbol":"PF_XBTUSD","tickSize":1,"contractValueTradePrecision":4,'
        f'"marginLevels":[{normal}],"retailMarginLevels":[{retail}],"postOnly":true,"isExpired":false}}'
    )

    ordinary = parse_instruments(instruments_answer(row)).items[0]
    eea = parse_instruments(instruments_answer(row), uses_retail_margin=True).items[0]

    assert [one.initial for one in ordinary.margin_levels] == [D("0.02"), D("0.04")]
    assert [one.initial for one in eea.margin_levels] == [D("0.1")]
    assert ordinary.status is TradingStatus.POST_ONLY


@pytest.mark.parametrize(
    "field", ['"tickSize":0,"contractValueTradePrecision":4', '"tickSize":1', '"tickSize":1,"contractValueTradePrecision":99']
)
def test_a_contract_without_usable_steps_is_left_out_with_an_issue(field: str) -> None:
    parsed = parse_instruments(instruments_answer(f'{{"symbol":"PF_XBTUSD",{field}}}'))

    assert parsed.items == ()
    assert parsed.issues[0].is_lost


def test_the_book_is_sorted_by_us() -> None:
    body = (
        b'{"result":"success","serverTime":"2026-09-07T05:30:00Z","orderBook":{"bids":[[1.1,5],[1.3,2],[1.2,0]],"asks":[[1.5,1],[1.4,3]]}}'
    )

    book = parse_order_book(body, BTC, AT)

    assert [level.price for level in book.bids] == [D("1.3"), D("1.1")]
    assert [level.price for level in book.asks] == [D("1.4"), D("1.5")]


def test_candles_come_as_text_and_the_running_one_is_kept() -> None:
    body = (
        b'{"candles":[{"time":900000,"open":"3","high":"4","low":"2","close":"3.5","volume":"1.5"},'
        b'{"time":0,"open":"1","high":"nan","low":"1","close":"1","volume":"0"}],"more_candles":true}'
    )

    parsed, more = parse_candles(body)

    assert (parsed.items, more) == ((Bar(900000, 3.0, 4.0, 2.0, 3.5, 1.5),), True)
    assert parsed.issues[0].is_lost


@pytest.mark.parametrize("text", ["2026-10-07T20:09:32.369368004Z", "2026-10-07T20:09:32.3Z", "2026-10-07T20:09:32Z"])
def test_server_time_is_read_with_any_number_of_fraction_digits(text: str) -> None:
    told = parse_server_time(f'{{"serverTime":"{text}"}}'.encode())

    assert told is not None
    assert (told.second, told.utcoffset()) == (32, AT.utcoffset())


@pytest.mark.market_data
def test_every_recorded_rest_payload_is_read_without_a_loss(market_data: Path) -> None:
    for path in sorted((market_data / "kraken").glob("instruments_*.json")):
        parsed = parse_instruments(path.read_bytes())
        assert not [issue for issue in parsed.issues if issue.is_lost], path.name
        assert bool(parsed.items) == ("2026" in path.name), path.name  # the family did not exist before
    for path in sorted((market_data / "kraken").glob("tickers_*.json")):
        parsed_tickers = parse_tickers(path.read_bytes(), AT)
        assert not parsed_tickers.issues, path.name
    quotes = {
        quote.symbol: quote for quote in parse_tickers((market_data / "kraken/tickers_2026-10-08_subset.json").read_bytes(), AT).items
    }
    assert quotes[BTC].mark == D("82588.89051844827")
    assert quotes[BTC].funding_rate_hourly == D("1.1770870833333e-05")


@pytest.mark.market_data
def test_recorded_books_and_candles_are_read(market_data: Path) -> None:
    book = parse_order_book((market_data / "kraken/orderbook_PF_SOLUSD_2026-10-08.json").read_bytes(), BTC, AT)
    assert (book.bids[0].price, book.asks[0].price) == (D("114.28"), D("114.29"))
    old = parse_order_book((market_data / "orderbook/kraken_futures_orderbook_PI_ETHUSD_2019-11-11.json").read_bytes(), BTC, AT)
    assert old.bids[0].price < old.asks[0].price
    samples = json.loads((market_data / "kraken/ws_public_samples_2026-09-25.json").read_text())
    bars, more = parse_candles(json.dumps(samples["rest_charts_candles"]).encode())
    assert (len(bars.items), more, bars.issues) == (3, False, ())
    for name in ("rest_error_bad_request", "rest_error_authentication"):
        with pytest.raises(ReadFailed):
            parse_tickers(json.dumps(samples[name]).encode(), AT)
