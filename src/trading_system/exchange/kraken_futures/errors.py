"""What an answer to a send, an edit or a cancel proves. Judged on the raw answer, never on an exception's class.

Rejected: `result` is success and the status word is in a closed list. Placed: an accepting word and an order id.
Everything else (errors, timeouts, pages of a CDN, words we do not know, exceptions of any library) is unknown, to be
resolved by look-up. Evidence texts carry words and codes, never addresses, headers or parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from trading_system.domain.orders import CancelOutcome, OutcomeUnknown, Placed, Rejected, SubmitOutcome, VenueOrderId
from trading_system.domain.units import Qty
from trading_system.exchange.kraken_futures.wire_values import Row, WireError, optional_number, optional_text, shortened

_ACCEPTED: Final = frozenset({"placed", "partiallyFilled", "filled"})

_SEND_REJECTS: Final = frozenset(
    {
        "invalidOrderType",
        "invalidSide",
        "invalidSize",
        "invalidPrice",
        "clientOrderIdTooLong",
        "clientOrderIdTooBig",
        "clientOrderIdInvalid",
        "insufficientAvailableFunds",
        "wouldCauseLiquidation",
        "maxPositionViolation",
        "tooManySmallOrders",
        "tooManyOrders",
        "fixedLeverageTooHigh",
        "outsidePriceCollar",
        "wouldIncreasePriceDislocation",
        "postWouldExecute",
        "iocWouldNotExecute",
        "selfFill",
        "wouldNotReducePosition",
        "wouldProcessAfterSpecifiedTime",
        "marketSuspended",
        "marketInactive",
        "marketIsPostOnly",
    }
)
_EDIT_REJECTS: Final = _SEND_REJECTS | {
    "notFound",
    "orderForEditNotFound",
    "orderForEditNotAStop",
    "cannotEditTriggerPriceOfTrailingStop",
    "cannotEditLimitPriceOfTrailingStop",
}
_ID_IN_USE: Final = "clientOrderIdAlreadyExist"
_CANCELS: Final = {
    "cancelled": CancelOutcome.CANCELLED,
    "filled": CancelOutcome.ALREADY_FILLED,
    "notFound": CancelOutcome.ALREADY_GONE,
}
_LIVE_EVENTS: Final = frozenset({"PLACE", "EXECUTION", "EDIT"})


class VenueHttpError(Exception):
    """The venue, or something in front of it, answered with an HTTP error. `said` is its error word, if it had one."""

    def __init__(self, status: int, said: str | None) -> None:
        super().__init__(f"HTTP {status}" + (f" ({said})" if said else ""))
        self.status = status
        self.said = said


def classify_send(raw: object, requested: Decimal) -> SubmitOutcome:
    """The outcome of sendorder. `requested` is the size we asked for, to see whether a reduce-only order was cut."""
    status = _status_of(raw, "sendStatus")
    if isinstance(status, OutcomeUnknown):
        return status
    word = optional_text_or_none(status, "status")
    if word == _ID_IN_USE:
        return OutcomeUnknown("id already in use: an earlier send of it arrived")
    if word in _SEND_REJECTS:
        return _rejected(str(word), status)
    if word in _ACCEPTED:
        order_id = optional_text_or_none(status, "order_id") or _id_in_events(status)
        if order_id is None:
            return OutcomeUnknown(f"status {word} without an order id")
        return Placed(VenueOrderId(order_id), reduced_qty=_reduced(status, requested))
    return OutcomeUnknown(f"send status {shortened(word)} is not a word we know")


def classify_edit(raw: object, venue_order_id: VenueOrderId, requested: Decimal) -> SubmitOutcome:
    """The outcome of editorder. Rejected means: not amended; the order itself may rest as before or be gone."""
    status = _status_of(raw, "editStatus")
    if isinstance(status, OutcomeUnknown):
        return status
    word = optional_text_or_none(status, "status")
    if word in _EDIT_REJECTS:
        return _rejected(str(word), status)
    if word == "edited":
        order_id = optional_text_or_none(status, "orderId") or optional_text_or_none(status, "order_id") or venue_order_id
        return Placed(VenueOrderId(order_id), reduced_qty=_reduced(status, requested))
    return OutcomeUnknown(f"edit status {shortened(word)} is not a word we know")


def classify_cancel(raw: object) -> CancelOutcome:
    """The outcome of cancelorder by id."""
    status = _status_of(raw, "cancelStatus")
    if isinstance(status, OutcomeUnknown):
        return CancelOutcome.UNKNOWN
    return _CANCELS.get(optional_text_or_none(status, "status") or "", CancelOutcome.UNKNOWN)


def unknown_from(error: Exception) -> OutcomeUnknown:
    """An exception between send and answer proves nothing. Its own text is not used: libraries put addresses into it."""
    match error:
        case VenueHttpError():
            return OutcomeUnknown(str(error))
        case TimeoutError():
            return OutcomeUnknown("no answer in time")
        case _:
            return OutcomeUnknown(f"{type(error).__name__} between send and answer")


def error_word(raw: object) -> str | None:
    """The request-level error of a raw answer, shortened, or None when it is a success or no envelope at all."""
    if not isinstance(raw, Mapping):
        return None
    said = raw.get("error")
    if isinstance(said, str) and said:
        return said[:80]
    errors = raw.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        return str(errors[0].get("message") or "unnamed error")[:80]
    return "unnamed error" if raw.get("result") == "error" else None


def optional_text_or_none(row: Row, key: str) -> str | None:
    """Like optional_text, but a wrong kind is None too: an order answer is judged, not parsed."""
    try:
        return optional_text(row, key)
    except WireError:
        return None


def _status_of(raw: object, key: str) -> Row | OutcomeUnknown:
    if not isinstance(raw, Mapping):
        return OutcomeUnknown(f"the answer is {type(raw).__name__}, no object")
    said = error_word(raw)
    if said is not None:
        return OutcomeUnknown(f"the venue said {shortened(said)}")
    if raw.get("result") != "success":
        return OutcomeUnknown("the answer does not say success")
    status = raw.get(key)
    if not isinstance(status, Mapping):
        return OutcomeUnknown(f"success without {key}")
    return status


def _rejected(word: str, status: Row) -> SubmitOutcome:
    for event in _events(status):
        if event.get("type") in _LIVE_EVENTS:
            return OutcomeUnknown(f"status {word}, but the answer also holds a {event.get('type')} event")
    return Rejected(word)


def _events(status: Row) -> Iterator[Row]:
    events = status.get("orderEvents")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, Mapping):
            yield event


def _order_in(event: Row) -> Row:
    for key in ("order", "orderTrigger", "new"):
        body = event.get(key)
        if isinstance(body, Mapping):
            return body
    return {}


def _id_in_events(status: Row) -> str | None:
    for event in _events(status):
        if event.get("type") == "PLACE":
            body = _order_in(event)
            return optional_text_or_none(body, "orderId") or optional_text_or_none(body, "uid")
    return None


def _reduced(status: Row, requested: Decimal) -> Qty | None:
    """The resting size when a reduce-only order was cut to the position, else None.

    Whether `reducedQuantity` is what is left or what was taken away is not documented; the order's own quantity beside it
    is not ambiguous, so that one is believed where it differs from the request.
    """
    for event in _events(status):
        try:
            told = optional_number(event, "reducedQuantity")
            quantity = optional_number(_order_in(event), "quantity")
        except WireError:
            continue
        if told is None or event.get("type") not in ("PLACE", "EDIT"):
            continue
        return Qty(quantity if quantity is not None and quantity < requested else told)
    return None
