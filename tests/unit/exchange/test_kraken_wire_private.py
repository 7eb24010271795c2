"""Private answers: tolerant per element, strict about lists, exact about numbers."""

from __future__ import annotations

import pytest
from kraken_builders import AT, BTC, D, T, fill_row, flex, stop_row, success

from trading_system.domain.account import FlowKind
from trading_system.domain.errors import ReadFailed
from trading_system.domain.orders import Direction, FillKind, OrderKind, OrderLife
from trading_system.exchange.kraken_futures.wire_account_log import flows_of, parse_account_log
from trading_system.exchange.kraken_futures.wire_private import (
    parse_fills,
    parse_open_orders,
    parse_order_statuses,
    parse_positions,
    parse_snapshot,
)

PARSERS = [
    ("fills", parse_fills),
    ("openOrders", parse_open_orders),
    ("openPositions", parse_positions),
    ("orders", parse_order_statuses),
    ("logs", parse_account_log),
]


@pytest.mark.parametrize(("key", "parse"), PARSERS)
@pytest.mark.parametrize("payload", [success(), {"result": "success"}, {}, None, "", [], 7])
def test_a_success_answer_without_its_list_is_a_failed_read_and_never_empty(key: str, parse: object, payload: object) -> None:
    with pytest.raises(ReadFailed, match=key):
        parse(payload)  # type: ignore[operator]


@pytest.mark.parametrize(("key", "parse"), PARSERS)
def test_an_explicitly_empty_list_is_empty(key: str, parse: object) -> None:
    assert parse(success(**{key: []})).items == ()  # type: ignore[operator]


def test_one_odd_fill_is_kept_as_other_and_its_neighbours_are_whole() -> None:
    rows = [fill_row(fill_id="a"), fill_row(fill_id="b", fillType="somethingNew"), fill_row(fill_id="c", fillType="assignee")]

    parsed = parse_fills(success(fills=rows))

    assert [(fill.fill_id, fill.kind) for fill in parsed.items] == [
        ("a", FillKind.TAKER),
        ("b", FillKind.OTHER),
        ("c", FillKind.ASSIGNMENT),
    ]
    assert [(issue.where, issue.is_lost) for issue in parsed.issues] == [("fills[1]", False)]


@pytest.mark.parametrize("broken", [{"size": "x"}, {"size": D("0")}, {"side": None}, {"fill_id": ...}, {"fillTime": "yesterday"}])
def test_a_fill_that_cannot_be_read_loses_itself_only(broken: dict[str, object]) -> None:
    parsed = parse_fills(success(fills=[fill_row(**broken), fill_row(fill_id="good"), "nonsense"]))

    assert [fill.fill_id for fill in parsed.items] == ["good"]
    assert [issue.is_lost for issue in parsed.issues] == [True, True]


def test_a_fill_carries_exact_numbers_and_no_invented_fee() -> None:
    fill = parse_fills(success(fills=[fill_row(price=D("0.1234567890123456789"), cliOrdId=...)])).items[0]

    assert (fill.price, fill.client_order_id, fill.fee_usd, fill.symbol, fill.at) == (D("0.1234567890123456789"), None, None, BTC, AT)


def test_a_fee_counts_only_in_dollars() -> None:
    rows = [fill_row(fee_paid=D("0.4"), fee_currency="USD"), fill_row(fee_paid=D("0.4"), fee_currency="EUR")]

    assert [fill.fee_usd for fill in parse_fills(success(fills=rows)).items] == [D("0.4"), None]


def test_an_untouched_stop_without_sizes_and_limit_is_still_seen_as_a_stop() -> None:
    parsed = parse_open_orders(success(openOrders=[stop_row(unfilledSize=..., filledSize=..., cliOrdId=...)]))

    order = parsed.items[0]
    assert (order.kind, order.trigger_price, order.limit_price, order.reduce_only) == (OrderKind.STOP, D("78000.0"), None, True)
    assert order.qty == 0  # covers nothing, so whoever counts protection asks for more
    assert [issue.is_lost for issue in parsed.issues] == [False]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("stp", OrderKind.STOP),
        ("stop", OrderKind.STOP),
        ("lmt", OrderKind.LIMIT),
        ("post", OrderKind.LIMIT),
        ("take_profit", OrderKind.TAKE_PROFIT_TRIGGER),
        ("trailing_stop", OrderKind.OTHER),
        ("brandNew", OrderKind.OTHER),
    ],
)
def test_order_words_map_to_kinds_and_unknown_ones_are_kept(word: str, kind: OrderKind) -> None:
    assert parse_open_orders(success(openOrders=[stop_row(orderType=word)])).items[0].kind is kind


@pytest.mark.parametrize("word", ["untouched", "partiallyFilled", "entered_book", "triggerPending", "", "new word"])
def test_an_unknown_status_word_means_alive(word: str) -> None:
    assert len(parse_open_orders(success(openOrders=[stop_row(status=word)])).items) == 1


def test_one_unreadable_order_does_not_hide_the_stop_beside_it() -> None:
    parsed = parse_open_orders(success(openOrders=[{"order_id": 5, "orderType": "lmt"}, stop_row()]))

    assert [order.venue_order_id for order in parsed.items] == ["o-2"]


@pytest.mark.parametrize("row", [{"order_id": 5}, {"order_id": 5, "orderType": "stp"}, stop_row(side="sideways"), "rubbish", None])
def test_an_unreadable_order_that_may_be_a_stop_is_a_failed_read(row: object) -> None:
    """Left out, it would say "no stop" about one that rests."""
    with pytest.raises(ReadFailed):
        parse_open_orders(success(openOrders=[row, stop_row()]))


def test_positions_are_read_unsigned_with_direction_and_isolation() -> None:
    rows = [
        {"side": "short", "symbol": "PF_XBTUSD", "price": D("79000.0"), "fillTime": T, "size": D("0.01"), "unrealizedFunding": None},
        {"side": "long", "symbol": "PF_PEPEUSD", "price": D("0.000004"), "size": 5000, "maxFixedLeverage": D("5.0")},
        {"side": "long", "symbol": "PF_ETHUSD", "price": D("2000"), "size": 0},
    ]

    parsed = parse_positions(success(openPositions=rows))

    assert [(p.symbol, p.direction, p.qty, p.is_isolated) for p in parsed.items] == [
        ("BTC/USD", Direction.SHORT, D("0.01"), False),
        ("PEPE/USD", Direction.LONG, D("5000"), True),
    ]


def test_a_position_in_a_foreign_contract_stays_visible() -> None:
    parsed = parse_positions(success(openPositions=[{"side": "long", "symbol": "FF_XBTUSD_261225", "price": 1, "size": 1}]))

    assert parsed.items[0].symbol == "FF_XBTUSD_261225"
    assert len(parsed.issues) == 1


@pytest.mark.parametrize("row", [{"side": "up", "symbol": "PF_XBTUSD", "price": 1, "size": 1}, {"symbol": "PF_XBTUSD"}, None])
def test_an_unreadable_position_fails_the_whole_read_rather_than_say_flat(row: object) -> None:
    with pytest.raises(ReadFailed, match="position"):
        parse_positions(success(openPositions=[row]))


def test_the_wallet_is_read_field_by_field() -> None:
    snapshot = parse_snapshot(success(accounts={"cash": {}, "flex": flex()}), fallback_at=AT)

    assert (snapshot.portfolio_value, snapshot.margin_equity, snapshot.unrealized_pnl, snapshot.at) == (
        D("10012.0"),
        D("10012.1"),
        D("12.0"),
        AT,
    )


@pytest.mark.parametrize("field", ["marginEquity", "portfolioValue", "initialMarginWithOrders", "unrealizedFunding"])
@pytest.mark.parametrize("value", [..., None, "much", True, D("NaN")])
def test_a_missing_wallet_field_fails_the_read_and_is_named(field: str, value: object) -> None:
    with pytest.raises(ReadFailed, match=field):
        parse_snapshot(success(accounts={"flex": flex(**{field: value})}), fallback_at=AT)


def test_an_account_without_a_flex_wallet_is_a_failed_read() -> None:
    with pytest.raises(ReadFailed, match="flex"):
        parse_snapshot(success(accounts={"cash": {}}), fallback_at=AT)


@pytest.mark.parametrize(
    ("word", "life"),
    [
        ("ENTERED_BOOK", OrderLife.ALIVE),
        ("TRIGGER_PLACED", OrderLife.ALIVE),
        ("FULLY_EXECUTED", OrderLife.FILLED),
        ("CANCELLED", OrderLife.CANCELLED),
        ("REJECTED", OrderLife.REJECTED),
        ("TRIGGER_ACTIVATION_FAILURE", OrderLife.REJECTED),
        ("SOMETHING_NEW", OrderLife.ALIVE),
    ],
)
def test_order_status_words_prove_a_life(word: str, life: OrderLife) -> None:
    order = {"type": "ORDER", "orderId": "o", "cliOrdId": "c", "filled": None}

    status = parse_order_statuses(success(orders=[{"order": order, "status": word, "updateReason": None, "error": None}])).items[0]

    assert (status.life, status.filled_qty, status.client_order_id) == (life, 0, "c")


def test_a_trigger_that_fired_says_so() -> None:
    order = {"type": "TRIGGER_ORDER", "orderId": "o", "cliOrdId": None, "filled": None, "triggerTime": T}

    status = parse_order_statuses(success(orders=[{"order": order, "status": "TRIGGER_PLACED"}])).items[0]

    assert status.life is OrderLife.TRIGGERED


def test_the_account_log_becomes_flows_with_the_fee_of_each_fill_once() -> None:
    trade = {"date": T, "info": "futures trade", "contract": "pf_xbtusd", "execution": "f-1"}
    logs = [
        {"id": 5, "date": T, "info": "funding rate change", "asset": "usd", "contract": "pf_xbtusd", "realized_funding": D("-0.5")},
        {"id": 3, "asset": "usd", "fee": D("0.4"), "realized_pnl": D("3"), "realized_funding": D("0.02"), **trade},
        {"id": 4, "asset": "pf_xbtusd", "fee": None, **trade},
        {"id": 6, "date": T, "info": "cross-exchange transfer", "asset": "usd", "old_balance": 100, "new_balance": 350},
        {"id": 7, "date": T, "info": "admin transfer", "asset": "usd", "old_balance": 350, "new_balance": 300},
        {"id": 8, "date": T, "info": "conversion", "asset": "eur", "old_balance": 5, "new_balance": 0},
        {"id": 9, "date": T, "info": "transfer", "asset": "xbt", "old_balance": 0, "new_balance": 1},
        {"id": 10, "date": T, "info": "moon tax", "asset": "usd", "old_balance": 3, "new_balance": 2},
    ]

    parsed = parse_account_log({"accountUid": "u", "logs": logs})

    assert {(flow.flow_id, flow.kind, flow.amount, flow.symbol, flow.fill_id) for flow in flows_of(parsed.items)} == {
        ("5", FlowKind.FUNDING, D("-0.5"), BTC, None),
        ("3:fee", FlowKind.FEE, D("-0.4"), BTC, "f-1"),
        ("3:funding", FlowKind.FUNDING, D("0.02"), BTC, None),
        ("6", FlowKind.DEPOSIT, D("250"), None, None),
        ("7", FlowKind.WITHDRAWAL, D("-50"), None, None),
        ("8", FlowKind.CONVERSION, D("0"), None, None),
        ("9", FlowKind.OTHER, D("0"), None, None),
        ("10", FlowKind.OTHER, D("-1"), None, None),
    }
    assert len(parsed.issues) == 2  # coins without a dollar value, and the new word
