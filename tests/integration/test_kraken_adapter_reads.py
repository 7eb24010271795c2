"""Reads over real sockets: exact numbers, three-valued answers, paging, deadlines, bounded concurrency."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from aiohttp import web
from kraken_adapter_loopback import BTC, Answer, Loopback, a_config, a_loopback, a_venue, half_an_answer, hangs, hangs_up, says

from trading_system.domain.errors import ReadFailed
from trading_system.domain.market import Timeframe
from trading_system.domain.orders import ClientOrderId, OrderLife
from trading_system.exchange.kraken_futures.requests import iso_ms
from trading_system.exchange.kraken_futures.venue import KrakenFuturesVenue
from trading_system.exchange.kraken_futures.wire_values import moment_from

API = "/derivatives/api/v3"
T = "2026-09-07T05:30:00.000Z"
AT = datetime(2026, 9, 7, 5, 30, tzinfo=UTC)


@pytest_asyncio.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with a_loopback() as running:
        yield running


@pytest_asyncio.fixture
async def venue(loopback: Loopback) -> AsyncIterator[KrakenFuturesVenue]:
    async with a_venue(a_config(loopback.port)) as opened:
        yield opened


def a_fill_row(number: int, at: datetime, price: str = "80000") -> str:
    return (
        f'{{"fill_id":"f{number}","order_id":"o","symbol":"PF_XBTUSD","side":"buy","size":0.01,"price":{price},'
        f'"fillTime":"{iso_ms(at)}","fillType":"taker"}}'
    )


async def test_a_number_with_nineteen_digits_comes_through_ccxt_whole(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    row = a_fill_row(1, AT, "0.1234567890123456789")
    loopback.script(f"{API}/fills", says(f'{{"result":"success","fills":[{row}]}}'))

    assert (await venue.account.fills(AT))[0].price == Decimal("0.1234567890123456789")


READ_FAILURES: list[Answer] = [
    says('{"result":"success"}'),
    says('{"result":"success","openPositions":null}'),
    says('{"result":"error","error":"Unavailable"}'),
    says('{"result":"error","error":"apiLimitExceeded"}'),
    says("<html>", 502, "text/html"),
    says("", 200),
    says("[]"),
    says('{"result":"success","openPositions":[NaN]}'),
    says("{}", 429),
    hangs_up,
    hangs,
    half_an_answer(),
]


@pytest.mark.parametrize("answer", READ_FAILURES)
async def test_a_read_that_is_no_plain_success_fails_and_is_never_empty(
    loopback: Loopback, venue: KrakenFuturesVenue, answer: Answer
) -> None:
    for path in ("openpositions", "openorders", "fills", "accounts"):
        loopback.script(f"{API}/{path}", answer)

    for read in (venue.account.positions(), venue.account.open_orders(), venue.account.fills(AT), venue.account.snapshot()):
        with pytest.raises(ReadFailed):
            await read


async def test_an_exhausted_venue_budget_holds_reads_back_with_a_time(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    loopback.script(f"{API}/openpositions", says('{"result":"error","error":"apiLimitExceeded"}'))
    with pytest.raises(ReadFailed):
        await venue.account.positions()

    with pytest.raises(ReadFailed, match="rate budget") as refused:
        await venue.account.open_orders()

    assert refused.value.retry_after_s is not None
    assert refused.value.retry_after_s > 5
    assert len(loopback.seen) == 1


async def test_fills_are_paged_back_until_the_moment_is_covered(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    rows = [(number, AT - timedelta(seconds=number)) for number in range(250)]

    async def page(request: web.Request) -> web.StreamResponse:
        before = request.query.get("lastFillTime")
        older = [row for row in rows if before is None or row[1] < moment_from(before)][:100]
        listed = ",".join(a_fill_row(number, at) for number, at in older)
        return web.Response(text=f'{{"result":"success","fills":[{listed}]}}', content_type="application/json")

    loopback.script(f"{API}/fills", page)

    fills = await venue.account.fills(AT - timedelta(seconds=180))

    assert [fill.fill_id for fill in fills] == [f"f{number}" for number in range(180, -1, -1)]
    assert len(loopback.seen) == 2
    assert len(await venue.account.fills(AT - timedelta(seconds=180))) == 181
    assert len(loopback.seen) == 3


async def test_order_status_names_every_id_on_the_wire(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    order = '{"type":"ORDER","orderId":"o","cliOrdId":"a","filled":0.5}'
    loopback.script(f"{API}/orders/status", says(f'{{"result":"success","orders":[{{"order":{order},"status":"CANCELLED"}}]}}'))

    statuses = await venue.account.order_status([ClientOrderId("a"), ClientOrderId("b c")])

    assert loopback.seen[0].target == f"{API}/orders/status?cliOrdIds=a&cliOrdIds=b%20c"
    assert [(one.life, one.filled_qty) for one in statuses] == [(OrderLife.CANCELLED, Decimal("0.5"))]


async def test_the_account_log_is_paged_forward_and_signed_with_its_whole_path(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    rows = [(number, AT + timedelta(milliseconds=number // 3)) for number in range(700)]

    async def page(request: web.Request) -> web.StreamResponse:
        since, count = int(request.query["since"]), int(request.query["count"])
        listed = [row for row in rows if row[1].timestamp() * 1000 >= since][:count]
        text = ",".join(
            f'{{"id":{number},"date":"{iso_ms(at)}","info":"funding rate change","asset":"usd","realized_funding":0.01}}'
            for number, at in listed
        )
        return web.Response(text=f'{{"accountUid":"u","logs":[{text}]}}', content_type="application/json")

    loopback.script("/api/history/v3/account-log", page)

    flows = await venue.account.flows(AT)

    assert len(flows) == 700
    assert sum(flow.amount for flow in flows) == Decimal("7.00")


async def test_candles_are_paged_to_the_end_and_cut_to_the_range(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    step = Timeframe.M15.ms

    async def page(request: web.Request) -> web.StreamResponse:
        start, end = int(request.query["from"]) * 1000, int(request.query["to"]) * 1000
        first = -(-start // step) * step
        opens = range(first, end + 1, step)
        rows = ",".join(f'{{"time":{at},"open":"1","high":"2","low":"1","close":"1.5","volume":"3"}}' for at in opens[:10])
        return web.Response(text=f'{{"candles":[{rows}],"more_candles":{"true" if len(opens) > 10 else "false"}}}')

    loopback.script("/api/charts/v1/trade/PF_XBTUSD/15m", page)

    bars = await venue.market_data.candles(BTC, Timeframe.M15, 5 * step, 29 * step)

    assert [bar.open_ms for bar in bars] == [index * step for index in range(5, 30)]
    assert len(loopback.seen) == 3


async def test_candles_that_are_announced_and_never_come_fail_instead_of_looping(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    loopback.script("/api/charts/v1/trade/PF_XBTUSD/1h", says('{"candles":[],"more_candles":true}'))

    with pytest.raises(ReadFailed, match="announced"):
        await venue.market_data.candles(BTC, Timeframe.H1, 0, 10**9)


@pytest.mark.parametrize(
    ("answer", "why"), [(hangs, "in time"), (hangs_up, "Disconnected"), (says("", 503), "503"), (says("<html>"), "not what")]
)
async def test_public_reads_fail_within_their_deadline(loopback: Loopback, answer: Answer, why: str) -> None:
    loopback.script(f"{API}/tickers", answer)
    async with a_venue(a_config(loopback.port, public_timeout_s=0.2)) as venue:
        with pytest.raises(ReadFailed, match=why):
            await venue.market_data.tickers()


async def test_no_more_public_calls_run_at_once_than_allowed(loopback: Loopback) -> None:
    running, peak = 0, 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.01)
        running -= 1
        return web.Response(text='{"candles":[],"more_candles":false}')

    loopback.script("/api/charts/v1/trade/PF_XBTUSD/1h", slow)
    async with a_venue(a_config(loopback.port)) as venue:
        await asyncio.gather(*(venue.market_data.candles(BTC, Timeframe.H1, 0, 1) for _ in range(120)))

    assert peak == 50


async def test_skew_is_measured_on_every_public_answer(loopback: Loopback, venue: KrakenFuturesVenue) -> None:
    ahead = iso_ms(datetime.now(UTC) + timedelta(seconds=42))
    loopback.script(f"{API}/tickers/PF_XBTUSD", says(f'{{"result":"success","serverTime":"{ahead}","ticker":{{}}}}'))
    assert venue.server_time_offset is None

    assert await venue.server_time() == moment_from(ahead)

    assert venue.server_time_offset == pytest.approx(42, abs=1.0)
    assert venue.server_time_uncertainty < 1.0
