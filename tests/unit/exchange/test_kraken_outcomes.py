"""What each answer to an order request proves. The table is the specification."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_builders import D, T, success

from trading_system.domain.orders import CancelOutcome, OutcomeUnknown, Placed, Rejected, VenueOrderId
from trading_system.domain.units import Qty
from trading_system.exchange.kraken_futures.errors import VenueHttpError, classify_cancel, classify_edit, classify_send, unknown_from

REJECT_WORDS = [
    "invalidOrderType", "invalidSide", "invalidSize", "invalidPrice", "clientOrderIdTooLong", "clientOrderIdTooBig", "clientOrderIdInvalid",
    "insufficientAvailableFunds", "wouldCauseLiquidation", "maxPositionViolation", "tooManySmallOrders", "tooManyOrders",
    "fixedLeverageTooHigh", "outsidePriceCollar", "wouldIncreasePriceDislocation", "postWouldExecute", "iocWouldNotExecute", "selfFill",
    "wouldNotReducePosition", "wouldProcessAfterSpecifiedTime", "marketSuspended", "marketInactive", "marketIsPostOnly",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["status", "order_id", "orderEvents", "type", "order"]), inner)
    ),
    max_leaves=8,
)


def sent(status: str | None, **more: Any) -> dict[str, Any]:
    return success(sendStatus={"status": status, "receivedTime": T, **more})


def place_event(quantity: str, reduced: str | None) -> dict[str, Any]:
    order = {"orderId": "o", "quantity": D(quantity), "filled": 0}
    return {"type": "PLACE", "order": order, "reducedQuantity": None if reduced is None else D(reduced)}


@pytest.mark.parametrize("word", ["placed", "partiallyFilled", "filled"])
@pytest.mark.parametrize("events", [[], None, [place_event("1", None)]])
def test_an_accepting_word_with_an_id_is_placed_whatever_the_events(word: str, events: object) -> None:
    assert classify_send(sent(word, order_id="o-1", orderEvents=events), D("1")) == Placed(VenueOrderId("o-1"))


def test_a_missing_id_is_taken_from_the_place_event() -> None:
    event = {"type": "PLACE", "orderTrigger": {"uid": "trigger-1", "quantity": 1}}

    assert classify_send(sent("placed", orderEvents=[event]), D("1")) == Placed(VenueOrderId("trigger-1"))


@pytest.mark.parametrize("word", REJECT_WORDS)
def test_a_word_of_the_closed_list_is_a_reject(word: str) -> None:
    assert classify_send(sent(word, orderEvents=[{"type": "REJECT"}]), D("1")) == Rejected(word)


@pytest.mark.parametrize(
    "raw",
    [
        sent("placed", order_id="", orderEvents=[]),
        sent("placed", order_id=None),
        sent("placed", order_id=7),
        sent("edited", order_id="o"),
        sent("cancelled", order_id="o"),
        sent("reduceOnlyWouldIncreasePosition"),
        sent("PLACED", order_id="o"),
        sent(None),
        sent("clientOrderIdAlreadyExist"),
        sent("postWouldExecute", orderEvents=[{"type": "EXECUTION", "amount": 1}]),
        success(),
        success(sendStatus=None),
        success(sendStatus=[]),
        {"sendStatus": {"status": "placed", "order_id": "o"}},
        {"result": "error", "error": "Server Error"},
        {"result": "error", "error": "Unavailable"},
        {"result": "error", "error": "apiLimitExceeded"},
        {"result": "error", "error": "authenticationError"},
        {"result": "error", "error": "insufficientFunds"},
        {"result": "error", "sendStatus": {"status": "insufficientAvailableFunds"}},
        {"status": "BAD_REQUEST", "result": "error", "errors": [{"code": 11, "message": "invalid order type"}]},
        "",
        "<html>",
        None,
        [],
    ],
)
def test_everything_else_is_unknown(raw: object) -> None:
    assert isinstance(classify_send(raw, D("1")), OutcomeUnknown)


@given(JSON)
def test_no_answer_whatsoever_raises_or_rejects_without_a_listed_word(raw: object) -> None:
    for answer in (raw, {"result": "success", "sendStatus": raw}, {"result": "success", "editStatus": raw, "cancelStatus": raw}):
        assert not isinstance(classify_send(answer, D("1")), Rejected)
        assert not isinstance(classify_edit(answer, VenueOrderId("o"), D("1")), Rejected)
        assert isinstance(classify_cancel(answer), CancelOutcome)


@pytest.mark.parametrize(
    ("quantity", "reduced", "rests"),
    [("1", None, None), ("0.4", "0.4", "0.4"), ("0.4", "0.6", "0.4"), ("1", "0.4", "0.4")],
)
def test_a_reduced_order_tells_the_size_that_rests(quantity: str, reduced: str | None, rests: str | None) -> None:
    outcome = classify_send(sent("placed", order_id="o", orderEvents=[place_event(quantity, reduced)]), D("1"))

    assert outcome == Placed(VenueOrderId("o"), None if rests is None else Qty(D(rests)))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ({"status": "edited", "orderId": "o-1"}, Placed(VenueOrderId("o-1"))),
        ({"status": "edited"}, Placed(VenueOrderId("mine"))),
        ({"status": "orderForEditNotFound"}, Rejected("orderForEditNotFound")),
        ({"status": "notFound"}, Rejected("notFound")),
        ({"status": "invalidPrice"}, Rejected("invalidPrice")),
    ],
)
def test_an_edit_is_judged_by_its_word(status: dict[str, Any], outcome: object) -> None:
    assert classify_edit(success(editStatus=status), VenueOrderId("mine"), D("1")) == outcome


@pytest.mark.parametrize("word", ["placed", "filled", "cancelled", "", "selfMade"])
def test_an_edit_with_any_other_word_is_unknown(word: str) -> None:
    assert isinstance(classify_edit(success(editStatus={"status": word}), VenueOrderId("mine"), D("1")), OutcomeUnknown)


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        (success(cancelStatus={"status": "cancelled"}), CancelOutcome.CANCELLED),
        (success(cancelStatus={"status": "filled"}), CancelOutcome.ALREADY_FILLED),
        (success(cancelStatus={"status": "notFound"}), CancelOutcome.ALREADY_GONE),
        (success(cancelStatus={"status": "other"}), CancelOutcome.UNKNOWN),
        (success(), CancelOutcome.UNKNOWN),
        ({"result": "error", "error": "notFound"}, CancelOutcome.UNKNOWN),
        ("", CancelOutcome.UNKNOWN),
    ],
)
def test_a_cancel_is_judged_by_its_word(raw: object, outcome: CancelOutcome) -> None:
    assert classify_cancel(raw) is outcome


@pytest.mark.parametrize("error", [TypeError("api_key=hunter2"), KeyError("hunter2"), TimeoutError(), VenueHttpError(502, None)])
def test_an_exception_of_any_library_is_unknown_and_its_text_stays_inside(error: Exception) -> None:
    outcome = unknown_from(error)

    assert isinstance(outcome, OutcomeUnknown)
    assert "hunter2" not in outcome.evidence
