"""The three state-changing calls. Each passes the budget and the write gate, is sent once, and answers with a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from trading_system.domain.market import Instrument
from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    OrderRequest,
    OutcomeUnknown,
    Rejected,
    StopAmendment,
    SubmitOutcome,
    VenueOrderId,
)
from trading_system.domain.symbols import Symbol
from trading_system.exchange.kraken_futures.errors import classify_cancel, classify_edit, classify_send, unknown_from
from trading_system.exchange.kraken_futures.rate_budget import (
    CANCEL_ORDER,
    EDIT_ORDER,
    SEND_ORDER,
    BudgetExhausted,
    CallClass,
    Endpoint,
)
from trading_system.exchange.kraken_futures.requests import (
    Unsendable,
    WireRequest,
    build_cancel,
    build_send,
    build_stop_amendment,
)
from trading_system.exchange.kraken_futures.rest import SignedRest
from trading_system.exchange.kraken_futures.write_gate import WriteGate, WriteKind


@dataclass(frozen=True, slots=True)
class _Answer:
    raw: object


_Sent = _Answer | Rejected | OutcomeUnknown

_LOCAL: Final = "local:"


class KrakenOrders:
    """Implements the Orders port. `instrument_of` looks up contract facts already read (None = not yet)."""

    def __init__(self, rest: SignedRest, gate: WriteGate, instrument_of: Callable[[Symbol], Instrument | None]) -> None:
        self._rest = rest
        self._gate = gate
        self._instrument_of = instrument_of

    async def submit(self, order: OrderRequest) -> SubmitOutcome:
        sent = await self._send_once(SEND_ORDER, build_send(order, self._instrument_of(order.symbol)))
        return classify_send(sent.raw, order.qty) if isinstance(sent, _Answer) else sent

    async def amend_stop(self, amendment: StopAmendment) -> SubmitOutcome:
        sent = await self._send_once(EDIT_ORDER, build_stop_amendment(amendment, self._instrument_of(amendment.symbol)))
        return classify_edit(sent.raw, amendment.venue_order_id, amendment.qty) if isinstance(sent, _Answer) else sent

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> CancelOutcome:
        """A cancel that our own gate refused was not sent: UNKNOWN, like any other without an answer."""
        sent = await self._send_once(CANCEL_ORDER, build_cancel(client_order_id, venue_order_id))
        return classify_cancel(sent.raw) if isinstance(sent, _Answer) else CancelOutcome.UNKNOWN

    async def _send_once(self, endpoint: Endpoint, request: WireRequest | Unsendable) -> _Sent:
        if isinstance(request, Unsendable):
            return Rejected(f"{_LOCAL}{request.why}")
        if not self._rest.is_open:
            return Rejected(f"{_LOCAL}no API key, or the venue is not open")
        refusal = self._gate.standing_refusal(request.kind, request.parameters)
        if refusal is None:
            try:
                await self._rest.reserve(endpoint, _call_class(request.kind))
            except BudgetExhausted as error:
                return Rejected(f"{_LOCAL}{error}")
            # asked again, now for good: the gate may have closed while a protective call waited for its points
            refusal = self._gate.refusal(request.kind, request.parameters)
        if refusal is not None:
            return Rejected(f"{_LOCAL}{refusal}")
        return await self._transmit(endpoint, request.parameters)

    async def _transmit(self, endpoint: Endpoint, parameters: Mapping[str, str]) -> _Sent:
        try:
            return _Answer(await self._rest.write(endpoint, parameters))
        # nothing that happens between send and answer proves anything about the order, whichever library raised it
        except Exception as error:  # noqa: BLE001
            return unknown_from(error)


def _call_class(kind: WriteKind) -> CallClass:
    match kind:
        case WriteKind.PROTECTIVE | WriteKind.CANCEL:
            return CallClass.PROTECTIVE
        case WriteKind.ENTRY | WriteKind.TAKE_PROFIT:
            return CallClass.ENTRY
        case _:
            assert_never(kind)
