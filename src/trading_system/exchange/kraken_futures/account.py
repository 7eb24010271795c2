"""The private reads: wallet, positions, open orders, fills, order status, money movements. Failed never looks like empty."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from trading_system.domain.account import AccountFlow, AccountSnapshot, VenuePosition
from trading_system.domain.errors import ReadFailed
from trading_system.domain.orders import ClientOrderId, Fill, OpenOrder, OrderStatus
from trading_system.domain.protocols import Clock
from trading_system.domain.units import to_ms
from trading_system.exchange.kraken_futures.fill_history import FillHistory
from trading_system.exchange.kraken_futures.observer import VenueObserver
from trading_system.exchange.kraken_futures.rate_budget import (
    ACCOUNT_LOG,
    ACCOUNTS,
    FILLS,
    FILLS_OLDER,
    OPEN_ORDERS,
    OPEN_POSITIONS,
    ORDERS_STATUS,
    CallClass,
    Endpoint,
)
from trading_system.exchange.kraken_futures.requests import iso_ms
from trading_system.exchange.kraken_futures.rest import SignedRest
from trading_system.exchange.kraken_futures.wire_account_log import LogRow, flows_of, parse_account_log
from trading_system.exchange.kraken_futures.wire_private import (
    parse_fills,
    parse_open_orders,
    parse_order_statuses,
    parse_positions,
    parse_snapshot,
)
from trading_system.exchange.kraken_futures.wire_values import Parsed, Row

T = TypeVar("T")

_STATUS_IDS_MAX: Final = 20
_LOG_COUNT: Final = 500
_LOG_PAGE_SURELY_LAST: Final = 25
"""A page with fewer rows than the smallest priced page size is the last one, whatever the venue's cap is."""
_LOG_PAGES_MAX: Final = 20


class KrakenAccount:
    """Implements the Account port. `call_class`: what part of the request budget its reads may use."""

    def __init__(self, rest: SignedRest, clock: Clock, observer: VenueObserver, call_class: CallClass = CallClass.READ) -> None:
        self._rest = rest
        self._class = call_class
        self._clock = clock
        self._observer = observer
        self._fills = FillHistory()
        self._fills_turn = asyncio.Lock()

    async def snapshot(self) -> AccountSnapshot:
        return parse_snapshot(await self._read(ACCOUNTS, {}), self._clock.now())

    async def positions(self) -> tuple[VenuePosition, ...]:
        return self._kept(parse_positions(await self._read(OPEN_POSITIONS, {})))

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        return self._kept(parse_open_orders(await self._read(OPEN_ORDERS, {})))

    async def fills(self, since: datetime) -> tuple[Fill, ...]:
        # one reader at a time: two would page through the same run against each other
        async with self._fills_turn:
            self._fills.start(self._kept(parse_fills(await self._read(FILLS, {}))))
            while (before := self._fills.next_before(since)) is not None:
                page = await self._read(FILLS_OLDER, {"lastFillTime": iso_ms(before)})
                self._fills.add(self._kept(parse_fills(page)))
            return self._fills.since_covered(since)

    async def order_status(self, ids: Sequence[ClientOrderId]) -> tuple[OrderStatus, ...]:
        found: list[OrderStatus] = []
        for start in range(0, len(ids), _STATUS_IDS_MAX):
            # the empty orderIds makes ccxt repeat the key for each value of a list
            parameters = {"orderIds": [], "cliOrdIds": [str(one) for one in ids[start : start + _STATUS_IDS_MAX]]}
            found.extend(self._kept(parse_order_statuses(await self._read(ORDERS_STATUS, parameters))))
        return tuple(found)

    async def flows(self, since: datetime) -> tuple[AccountFlow, ...]:
        rows: dict[int, LogRow] = {}
        start_ms = to_ms(since)
        for _ in range(_LOG_PAGES_MAX):
            parameters = {"since": str(start_ms), "sort": "asc", "count": str(_LOG_COUNT)}
            page = self._kept(parse_account_log(await self._read(ACCOUNT_LOG, parameters)))
            fresh = [row for row in page if row.row_id not in rows]
            rows.update((row.row_id, row) for row in fresh)
            if not fresh or len(page) < _LOG_PAGE_SURELY_LAST:
                return tuple(flow for flow in flows_of(tuple(rows.values())) if flow.at >= since)
            # one millisecond of overlap: rows of one booking share their time
            start_ms = max(start_ms, to_ms(max(row.at for row in page) - timedelta(milliseconds=1)))
        raise ReadFailed(f"account log: more than {_LOG_PAGES_MAX} pages since {since:%Y-%m-%d %H:%M}")

    async def _read(self, endpoint: Endpoint, parameters: Mapping[str, object]) -> Row:
        return await self._rest.read(endpoint, parameters, self._class)

    def _kept(self, parsed: Parsed[T]) -> tuple[T, ...]:
        for issue in parsed.issues:
            self._observer.wire_issue(issue)
        return parsed.items
