"""The order path over real sockets with the real ccxt: what each answer proves, and that nothing is ever sent twice."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from kraken_adapter_loopback import (
    BTC,
    KEY,
    SECRET,
    Answer,
    Loopback,
    a_config,
    a_loopback,
    a_stop,
    a_venue,
    an_entry,
    an_exit,
    an_instrument,
    half_an_answer,
    hangs,
    hangs_up,
    redirects_to,
    says,
)

from trading_system.domain.orders import (
    CancelOutcome,
    ClientOrderId,
    OutcomeUnknown,
    Placed,
    Rejected,
    StopAmendment,
    SubmitOutcome,
    VenueOrderId,
)
from trading_system.domain.units import Price, Qty
from trading_system.exchange.kraken_futures.venue import KrakenFuturesVenue
from trading_system.exchange.kraken_futures.write_gate import GateScope, WriteMode

SEND = "/derivatives/api/v3/sendorder"
EDIT = "/derivatives/api/v3/editorder"
CANCEL = "/derivatives/api/v3/cancelorder"
PLACED = '{"result":"success","sendStatus":{"status":"placed","order_id":"o-1","orderEvents":[]}}'


@pytest_asyncio.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with a_loopback() as running:
        yield running


@pytest_asyncio.fixture
async def venue(loopback: Loopback) -> AsyncIterator[KrakenFuturesVenue]:
    async with a_venue(a_config(loopback.port)) as opened:
        yield opened


def sent(word: str, more: str = "") -> str:
    return f'{{"result":"success","sendStatus":{{"status":"{word}"{more}}}}}'


TABLE: list[tuple[str, Answer, type[Placed] | type[Rejected] | type[OutcomeUnknown]]] = [
    ("placed with empty events", says(PLACED), Placed),
    ("insufficient funds", says(sent("insufficientAvailableFunds")), Rejected),
    ("a word ccxt does not know", says(sent("wouldCauseLiquidation")), Rejected),
    ("suspended, a network error to ccxt", says(sent("marketSuspended")), Rejected),
    ("a word nobody knows", says(sent("marsIsRetrograde")), OutcomeUnknown),
    ("placed without an id", says(sent("placed", ',"orderEvents":[]')), OutcomeUnknown),
    ("id already in use", says(sent("clientOrderIdAlreadyExist")), OutcomeUnknown),
    ("success without sendStatus", says('{"result":"success"}'), OutcomeUnknown),
    ("200 with an empty body", says(""), OutcomeUnknown),
    ("200 with HTML", says("<html>ok</html>", content_type="text/html"), OutcomeUnknown),
    ("200 with half a JSON", says('{"result":"succ'), OutcomeUnknown),
    ("server error told with 200", says('{"result":"error","error":"Server Error"}'), OutcomeUnknown),
    ("unavailable told with 200", says('{"result":"error","error":"Unavailable"}'), OutcomeUnknown),
    ("budget exceeded told with 200", says('{"result":"error","error":"apiLimitExceeded"}'), OutcomeUnknown),
    ("authentication error", says('{"result":"error","error":"authenticationError"}', 401), OutcomeUnknown),
    ("bad request", says('{"result":"error","errors":[{"code":11,"message":"invalid order type"}]}', 400), OutcomeUnknown),
    ("429 JSON", says('{"error":"too many"}', 429), OutcomeUnknown),
    ("429 HTML", says("<html>", 429, "text/html"), OutcomeUnknown),
    ("500 with a reject word", says(sent("insufficientAvailableFunds"), 500), OutcomeUnknown),
    ("502 HTML", says("<html>Bad Gateway</html>", 502, "text/html"), OutcomeUnknown),
    ("503", says("", 503), OutcomeUnknown),
    ("504", says("", 504), OutcomeUnknown),
    ("lost answer", hangs_up, OutcomeUnknown),
    ("answer cut in half", half_an_answer(), OutcomeUnknown),
    ("no answer in time", hangs, OutcomeUnknown),
    ("redirect", redirects_to(SEND), OutcomeUnknown),
]


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_each_answer_proves_what_the_table_says_and_is_asked_for_once(
    loopback: Loopback, venue: KrakenFuturesVenue, answer: Answer, kind: type[SubmitOutcome]
) -> None:
    loopback.script(SEND, answer)

    outcome = await venue.orders.submit(a_stop())

    assert isinstance(outcome, kind), outcome
    assert len(loopback.seen) == 1


async def test_an_order_waits_for_its_own_deadline_and_not_for_a_librarys(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    loopback.script(SEND, hangs)

    assert await venue.orders.submit(a_stop()) == OutcomeUnknown("no answer in time")


async def test_a_refused_connection_is_unknown_too(loopback: Loopback) -> None:
    async with a_venue(a_config(1)) as nowhere:
        assert isinstance(await nowhere.orders.submit(a_stop()), OutcomeUnknown)


async def test_cancellation_passes_through_a_send(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    loopback.script(SEND, hangs)
    task = asyncio.ensure_future(venue.orders.submit(a_stop()))
    async with asyncio.timeout(0.3):
        while not loopback.seen:
            await asyncio.sleep(0.005)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_signature_covers_exactly_what_is_on_the_wire(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    loopback.script(SEND, says(PLACED))
    await venue.orders.submit(a_stop(client_id="a b+c/é=1"))
    await venue.orders.submit(an_exit())

    for seen in loopback.seen:
        path, _, query = seen.target.partition("?")
        digest = hashlib.sha256((query + path.removeprefix("/derivatives")).encode()).digest()
        expected = base64.b64encode(hmac.new(base64.b64decode(SECRET), digest, hashlib.sha512).digest()).decode()
        assert seen.headers["Authent"] == expected
        assert (seen.method, seen.headers["APIKey"]) == ("POST", KEY)
    assert "triggerSignal=mark" in loopback.seen[0].target
    assert "limitPrice" not in loopback.seen[0].target


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("cancelled", CancelOutcome.CANCELLED),
        ("filled", CancelOutcome.ALREADY_FILLED),
        ("notFound", CancelOutcome.ALREADY_GONE),
        ("perhaps", CancelOutcome.UNKNOWN),
    ],
)
async def test_cancels_by_id_are_told_apart(loopback: Loopback, venue: KrakenFuturesVenue, status: str, outcome: CancelOutcome) -> None:
    loopback.script(CANCEL, says(f'{{"result":"success","cancelStatus":{{"status":"{status}"}}}}'))

    assert await venue.orders.cancel(BTC, ClientOrderId("c"), None) is outcome
    assert loopback.seen[0].target.endswith("?cliOrdId=c")


async def test_a_lost_cancel_is_unknown(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    loopback.script(CANCEL, hangs_up)

    assert await venue.orders.cancel(BTC, None, VenueOrderId("o")) is CancelOutcome.UNKNOWN


async def test_a_stop_is_amended_in_one_request(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    loopback.script(EDIT, says('{"result":"success","editStatus":{"status":"edited","orderId":"o-1"}}'))
    stop = a_stop(trigger="78500", qty="0.02")
    amendment = StopAmendment(stop.client_order_id, VenueOrderId("o-1"), BTC, Qty(stop.qty), Price(stop.trigger_price))

    assert await venue.orders.amend_stop(amendment) == Placed(VenueOrderId("o-1"))
    assert loopback.seen[0].target == f"{EDIT}?orderId=o-1&size=0.02&stopPrice=78500&qtyMode=RELATIVE"


async def test_our_own_refusals_send_nothing(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    loopback.script(SEND, says(PLACED))
    venue.gate.close("kill_switch", GateScope.ENTRIES_AND_TAKE_PROFITS)

    assert await venue.orders.submit(an_entry()) == Rejected("local:no contract facts for BTC/USD yet")
    venue.remember_instruments([an_instrument()])
    assert await venue.orders.submit(an_entry()) == Rejected("local:closed by kill_switch")
    assert await venue.orders.submit(an_entry(limit="80100.5")) == Rejected("local:limitPrice 80100.5 is not a multiple of the tick 1")
    assert await venue.orders.cancel(BTC, None, None) is CancelOutcome.UNKNOWN
    async with a_venue(a_config(loopback.port), mode=WriteMode.READ_ONLY) as paper:
        assert await paper.orders.submit(a_stop()) == Rejected("local:read_only")
        assert await paper.orders.cancel(BTC, ClientOrderId("c"), None) is CancelOutcome.UNKNOWN
    async with a_venue(a_config(loopback.port, key=None, secret=None)) as public:
        assert isinstance(await public.orders.submit(a_stop()), Rejected)
    assert loopback.seen == []
    assert isinstance(await venue.orders.submit(a_stop()), Placed)


async def test_no_secret_reaches_a_log_an_outcome_or_an_exception(
    loopback: Loopback, venue: KrakenFuturesVenue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    for answer in (says(PLACED), hangs_up, says(f'{{"result":"error","error":"{KEY[:3]}"}}'), says("", 502), hangs):
        loopback.script(SEND, answer)
        loopback.script("/derivatives/api/v3/accounts", answer)
        texts.append(repr(await venue.orders.submit(a_stop())))
        try:
            await venue.account.snapshot()
        except Exception as error:
            texts += [repr(error), repr(error.__cause__), repr(error.__context__ if not error.__suppress_context__ else None)]

    signatures = [seen.headers["Authent"] for seen in loopback.seen]
    everything = "\n".join([*texts, *(record.getMessage() for record in caplog.records), repr(venue.config)])
    for canary in (KEY, SECRET, *signatures):
        assert canary not in everything


async def test_the_eleventh_entry_in_ten_seconds_stays_here(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    loopback.script(SEND, says(PLACED))
    venue.remember_instruments([an_instrument()])

    outcomes = [await venue.orders.submit(an_entry(client_id=f"e-{number}")) for number in range(12)]

    assert [isinstance(one, Placed) for one in outcomes] == [True] * 10 + [False] * 2
    assert outcomes[-1] == Rejected("local:entry-rate breaker: 10 entry requests in 10 s")
    assert len(loopback.seen) == 10
    assert isinstance(await venue.orders.submit(a_stop()), Placed)
