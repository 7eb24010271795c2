"""Fault cases of the wire's words: raw answers as the venue writes them, read by the real adapter inside the running daemon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from daemon_driver import play
from raw_venue import Edit, Raw
from scenario_ending import Ending
from scenario_parts import BTC, ETH, START_MS, At, Scenario, Wish, by_hand, crash, drop_stops, operator

from trading_system.domain import events as ev
from trading_system.domain.modes import Mode
from trading_system.domain.orders import FillKind, Side
from trading_system.domain.positions import EndReason, PositionState
from trading_system.exchange.kraken_futures.errors import VenueHttpError
from trading_system.sim.variants import ExchangeVariants
from trading_system.wiring.control_protocol import HaltOrder

D = Decimal
QUIET_LIFE = ["entry placed", "entry filled", "stop placed", "tp1 placed", "tp2 placed"]
MUTE = ((0, 10_000),)
FEES_S = 150
"""Fees come with the account log, which is read every two minutes."""
TWO = {BTC: {0: 80_000.0}, ETH: {0: 3_000.0}}


# --- what a rule does to an answer ------------------------------------------------------------------------------------


def says(payload: Any) -> Edit:
    """This instead of the answer."""
    return lambda _: payload


def dies_of(error: Exception) -> Edit:
    def edit(payload: Any) -> Any:
        raise error

    return edit


def without(key: str) -> Edit:
    return lambda payload: {name: value for name, value in payload.items() if name != key}


def each_row(rows: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Edit:
    return lambda payload: payload | {rows: [change(row) for row in payload[rows]]}


def is_for(prefix: str) -> Callable[[Mapping[str, str]], bool]:
    """Order requests of that purpose (en, sl, tp1 …)."""
    return lambda params: f"-{prefix}-" in params.get("cliOrdId", "")


def refused(word: str) -> Edit:
    return says({"result": "success", "sendStatus": {"status": word, "receivedTime": "2026-09-07T00:00:00.000Z"}})


def entries_sent(end: Ending) -> int:
    return sum(asked.endpoint == "sendorder" and is_for("en")(asked.params) for asked in end.asked)


def test_a_quiet_life_through_the_adapter_is_the_quiet_life_of_the_ports() -> None:
    """What the others are read against; and every state-changing call is one of three."""
    end = play(Scenario(raw=()))

    assert end.words() == QUIET_LIFE
    assert not end.unexpected
    assert not end.logged("WIRE_ISSUE")


# --- A ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        dies_of(VenueHttpError(502, None)),
        dies_of(VenueHttpError(503, "Unavailable")),
        dies_of(VenueHttpError(429, "apiLimitExceeded")),
        dies_of(ConnectionResetError("gone")),
        dies_of(TimeoutError()),
        dies_of(TypeError("'NoneType' object is not subscriptable")),
        says({"result": "error", "error": "Server Error"}),
        says({"result": "success"}),
        says(None),
        says({"result": "success", "sendStatus": {"status": "placed", "orderEvents": []}}),
        says({"result": "success", "sendStatus": {"status": "aWordOfNextYear", "orderEvents": []}}),
    ],
    ids=["502", "503", "429", "reset", "timeout", "type error", "server error", "no status", "empty", "no id", "new word"],
)
def test_fault_a04_a11_a12_no_answer_but_a_definite_refusal_says_that_nothing_was_placed(answer: Edit) -> None:
    """The order was taken each time. It is found and protected, and never sent again."""
    end = play(Scenario(raw=(Raw("sendorder", answer, times=1, where=is_for("en")),), feed_mute=MUTE, until_s=FEES_S))

    assert end.words() == QUIET_LIFE, end.tale()
    assert len(end.of(ev.OrderUnknown)) == 1
    assert end.naked_s() <= 12, "one poll; after a 429 the reads wait for the venue's window"
    assert not end.unexpected


def test_fault_a09_a_word_nobody_knows_is_an_open_question_and_the_order_is_not_sent_again() -> None:
    """…and when it was a refusal after all, that is proven by looking, told, and the symbol is free again."""
    end = play(
        Scenario(
            wishes=(Wish(), Wish(at_s=900)),
            raw=(Raw("sendorder", refused("aWordOfNextYear"), times=1, where=is_for("en"), is_instead=True),),
            settings={"strategy": {"signal_cooldown_hours": "0.01"}},
            until_s=1_000,
        )
    )

    assert [unknown.evidence for unknown in end.of(ev.OrderUnknown)] == ["send status 'aWordOfNextYear' is not a word we know"]
    assert [ended.reason for ended in end.of(ev.OrderEnded)][:1] == [EndReason.NOT_PLACED]
    assert [p.state for p in end.positions] == [PositionState.CANCELLED, PositionState.PROTECTED]
    assert len(end.sent("entry")) == 1
    assert all(order.venue_order_id != "None" for order in end.journal.state.orders.values())
    assert [line.level for line in end.logged("ORDER_UNKNOWN")] == ["warning"]


def test_fault_a09_a_refusal_the_client_library_does_not_know_is_one() -> None:
    """`wouldCauseLiquidation` came through as an order without an id."""
    end = play(Scenario(raw=(Raw("sendorder", refused("wouldCauseLiquidation"), times=1, where=is_for("en"), is_instead=True),)))

    assert [rejected.reason for rejected in end.of(ev.OrderRejected)] == ["wouldCauseLiquidation"]
    assert [p.state for p in end.positions] == [PositionState.CANCELLED]
    assert not end.of(ev.OrderUnknown)


def test_fault_a10_placed_without_any_order_event_is_placed() -> None:
    def without_events(payload: Any) -> Any:
        return payload | {"sendStatus": payload["sendStatus"] | {"orderEvents": []}}

    end = play(Scenario(raw=(Raw("sendorder", without_events),), feed_mute=MUTE, until_s=FEES_S))

    assert end.words() == QUIET_LIFE
    assert not end.of(ev.OrderRejected)
    assert not end.of(ev.OrderUnknown)


@pytest.mark.parametrize("word", ["marketSuspended", "marketInactive"])
def test_fault_a11_a_closed_market_is_not_hammered_with_entries(word: str) -> None:
    """The client library calls it a network error, which a general retry would try for ever."""
    end = play(Scenario(raw=(Raw("sendorder", refused(word), where=is_for("en"), is_instead=True),), until_s=600))

    assert entries_sent(end) == 1
    assert [rejected.reason for rejected in end.of(ev.OrderRejected)] == [word]


def test_fault_a14_requests_are_signed_without_a_nonce_and_a_nonce_error_proves_nothing() -> None:
    """`Invalid nonce` after a timeout: the first order's fate is looked up, nothing is sent again."""
    end = play(
        Scenario(
            raw=(Raw("sendorder", says({"result": "error", "error": "nonceBelowThreshold"}), times=1),), feed_mute=MUTE, until_s=FEES_S
        )
    )

    assert end.words() == QUIET_LIFE
    assert entries_sent(end) == 1
    assert not any("nonce" in asked.params for asked in end.asked)


# --- B ------------------------------------------------------------------------------------------------------------------


def test_fault_b01_one_odd_fill_does_not_poison_its_page() -> None:
    """A kind nobody knows is kept and counted; a row nobody can read is told and costs only itself."""

    def odd(payload: Any) -> Any:
        rows = [row | {"fillType": "ofNextYear"} for row in payload["fills"]]
        return payload | {"fills": [{"fill_id": "x"}, "rubbish", *rows]}

    end = play(Scenario(raw=(Raw("fills", odd),), feed_mute=MUTE, until_s=FEES_S))

    assert end.words() == QUIET_LIFE
    assert {booked.fill.kind for booked in end.of(ev.FillBooked)} == {FillKind.OTHER}
    assert [p.qty for p in end.positions] == [D("0.1250")]
    assert {line.fields["where"] for line in end.logged("WIRE_ISSUE")} >= {"fills[0]", "fills[1]", "fills[2]"}


def test_fault_b04_no_conclusion_rests_on_the_order_history() -> None:
    """It spoke an undocumented dialect. Quantities come from fills and positions; the history is not even asked."""
    end = play(Scenario(prices={BTC: {0: 80_000.0, 100: 80_900.0}}, raw=(), feed_mute=MUTE, until_s=250))

    assert [p.tally.tp1_filled for p in end.positions] == [D("0.0625")]
    assert not [asked for asked in end.asked if "history" in asked.endpoint or "triggers" in asked.endpoint]


def test_fault_b07_a_short_page_of_fills_is_read_back_to_a_known_one() -> None:
    """Twelve executions while nobody was there, three to a page."""
    acts = tuple(At(62 + n, by_hand(Side.SELL if n % 2 else Side.BUY, "0.01")) for n in range(12))
    end = play(
        Scenario(
            acts=(At(60, crash(down_s=30)), *acts),
            raw=(),
            variants=ExchangeVariants(fills_page=3),
            feed_mute=MUTE,
            until_s=200,
        )
    )

    assert len(end.of(ev.FillBooked)) == 13
    assert sum("lastFillTime" in asked.params for asked in end.asked) >= 4
    assert [(p.qty, p.tally.adjusted) for p in end.positions] == [(D("0.1250"), 0)]


# --- C ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("endpoint", "rows"), [("openpositions", "openPositions"), ("openorders", "openOrders"), ("fills", "fills")])
@pytest.mark.parametrize("answer", ["missing", "null"])
def test_fault_c01_a_success_without_its_list_is_a_failed_read(endpoint: str, rows: str, answer: str) -> None:
    edit = without(rows) if answer == "missing" else lambda payload: payload | {rows: None}
    end = play(Scenario(acts=(At(120, crash()),), raw=(Raw(endpoint, edit, from_s=30, to_s=250),), feed_mute=MUTE, until_s=400))

    assert end.words() == QUIET_LIFE
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]
    assert end.stops() == [(D("0.1250"), D(79_200))]


def test_fault_c03_a_position_on_a_contract_we_do_not_know_is_kept_and_disturbs_nothing() -> None:
    """Nothing is filtered away before it was looked at, a fixed-maturity contract for one."""
    strange = {"side": "long", "symbol": "FI_ABCUSD_261225", "price": D("1.5"), "fillTime": "2026-09-07T00:00:00.000Z", "size": D(10)}

    end = play(
        Scenario(
            raw=(Raw("openpositions", lambda payload: payload | {"openPositions": [strange, *payload["openPositions"]]}, from_s=30),),
            until_s=200,
        )
    )

    assert end.words() == [*QUIET_LIFE, "tp1 cancelled", "tp2 cancelled"]
    assert [p.state for p in end.positions if p.symbol == BTC] == [PositionState.PROTECTED]
    assert end.stops() == [(D("0.1250"), D(79_200))]
    assert [(told.symbol, told.urgent) for told in end.told("NAKED_POSITION")] == [("FI_ABCUSD_261225", True)] * 2
    assert end.modes[-1] is Mode.KILL_SWITCH, "nobody can protect it: entries are off until a human has looked"
    assert not end.sent("close")


def test_fault_c08_a_resting_stop_without_its_optional_fields_is_seen() -> None:
    """An untouched trigger order has no `unfilledSize`: just when protection existed, it could not be seen."""

    def bare(row: dict[str, Any]) -> dict[str, Any]:
        if "stopPrice" not in row:
            return row
        size = row.get("unfilledSize", row.get("size"))
        kept = {key: value for key, value in row.items() if key not in ("unfilledSize", "filledSize", "limitPrice")}
        return kept | {"size": size}

    end = play(Scenario(raw=(Raw("openorders", each_row("openOrders", bare)),), feed_mute=MUTE, acts=(At(60, crash()),), until_s=200))

    assert end.words() == QUIET_LIFE
    assert [p.state for p in end.positions] == [PositionState.PROTECTED]


def test_fault_c08_a_limit_of_somebody_that_cannot_be_read_costs_only_its_row() -> None:
    strange = {"order_id": "o", "symbol": "PF_ETHUSD", "orderType": "lmt", "side": "sideways"}
    end = play(Scenario(raw=(Raw("openorders", lambda payload: payload | {"openOrders": [strange, *payload["openOrders"]]}),), until_s=100))

    assert end.words() == QUIET_LIFE
    assert end.logged("WIRE_ISSUE")
    assert end.modes == [Mode.NORMAL]


def test_fault_c08_a_row_of_open_orders_that_cannot_be_read_is_not_a_missing_stop() -> None:
    def broken(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"side": "sideways"} if "stopPrice" in row else row

    end = play(Scenario(raw=(Raw("openorders", each_row("openOrders", broken), from_s=30, to_s=200),), feed_mute=MUTE, until_s=400))

    assert end.words() == QUIET_LIFE, end.tale()
    assert {str(line.fields["why"]).partition(":")[0] for line in end.logged("READ_FAILED") if line.at_s <= 200} == {"open_orders"}


# --- D ------------------------------------------------------------------------------------------------------------------


def test_fault_d08_tidying_up_is_by_id_and_no_call_cancels_everything() -> None:
    """A halt, a lost stop, a restart: whatever it does, only orders with a name are cancelled, and the client has no other way."""
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH)),
            acts=(At(60, operator(HaltOrder("drill"))), At(90, drop_stops()), At(120, crash())),
            raw=(),
            until_s=200,
        )
    )

    posted = {asked.endpoint for asked in end.asked if asked.endpoint in ("sendorder", "editorder") or "cancel" in asked.endpoint}
    assert posted == {"sendorder", "cancelorder"}
    cancels = [asked.params for asked in end.asked if asked.endpoint == "cancelorder"]
    assert len(cancels) == 4, "the take-profits of both"
    assert all(params.get("order_id") or params.get("cliOrdId") for params in cancels)


def test_fault_d09_d11_every_stop_is_a_stop_market_on_the_mark_price_and_reduces_only() -> None:
    """One print far away triggered everything; a stop-limit was jumped over."""
    end = play(Scenario(prices=TWO, wishes=(Wish(BTC), Wish(ETH)), acts=(At(60, drop_stops()),), raw=(), until_s=200))

    stops = [asked.params for asked in end.asked if asked.endpoint == "sendorder" and "stopPrice" in asked.params]
    assert len(stops) == 3
    assert {(s["orderType"], s["triggerSignal"], s["reduceOnly"], s.get("limitPrice")) for s in stops} == {("stp", "mark", "true", None)}


# --- E ------------------------------------------------------------------------------------------------------------------


def flex(**changes: Any) -> Edit:
    return lambda payload: payload | {"accounts": {"flex": payload["accounts"]["flex"] | changes}}


@pytest.mark.parametrize(
    "edit",
    [
        flex(portfolioValue=None),
        flex(portfolioValue=D(0), marginEquity=D(0), availableMargin=D(0)),
        flex(portfolioValue=D(-5), marginEquity=D(-5)),
        flex(portfolioValue=D(100_000), marginEquity=D(100_000), balanceValue=D(100_000), availableMargin=D(100_000)),
        lambda payload: payload | {"accounts": {"cash": {"balances": {"xbt": D(1)}, "type": "cashAccount"}}},
    ],
    ids=["none", "zero", "negative", "ten times", "another wallet"],
)
def test_fault_e03_an_equity_that_cannot_be_true_sizes_no_entry(edit: Edit) -> None:
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            raw=(Raw("accounts", edit, from_s=850, to_s=1_090),),
            until_s=1_100,
        )
    )

    assert not end.sent("entry", ETH), end.tale()
    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]
    assert not end.sent("close")


def test_fault_e04_the_venue_says_the_budget_is_empty_and_the_stop_still_goes() -> None:
    """`apiLimitExceeded` for every read: reads back off, nothing is opened, a lost stop is placed again."""
    limit = says({"result": "error", "error": "apiLimitExceeded"})
    end = play(
        Scenario(
            prices=TWO,
            wishes=(Wish(BTC), Wish(ETH, at_s=900)),
            raw=tuple(
                Raw(name, limit, from_s=850, to_s=950, is_instead=True) for name in ("openpositions", "openorders", "fills", "accounts")
            ),
            acts=(At(945, drop_stops(BTC)),),
            until_s=1_100,
        )
    )

    assert [(sent.at_ms - START_MS) / 1000 > 950 for sent in end.sent("entry", ETH)] == [True], "when its cause was over, not before"
    asked = [a for a in end.asked if 850 < a.at_s < 950 and a.endpoint in ("openpositions", "openorders", "fills")]
    assert len(asked) <= 40, "it backs off"
    assert end.stops(BTC) == [(D("0.1250"), D(79_200))]
    assert end.naked_s(BTC) <= 20


def test_fault_e05_an_overflowing_queue_is_a_failed_read() -> None:
    """RuntimeError from a throttle, not a class of any client library."""
    overflow = dies_of(RuntimeError("throttle queue is over maxCapacity"))
    names = ("openpositions", "openorders", "fills", "accounts", "orders/status", "account-log")
    end = play(Scenario(raw=tuple(Raw(name, overflow, from_s=30, to_s=200) for name in names), feed_mute=MUTE, until_s=400))

    assert end.words() == QUIET_LIFE
    assert not end.logged("TASK_FAILED")
    assert end.modes == [Mode.NORMAL, Mode.DEGRADED, Mode.NORMAL]
