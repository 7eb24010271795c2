"""Hand-made Kraken payloads and domain orders for the adapter's tests. Builders show only what matters."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_system.domain.market import Instrument, MarginLevel, TradingStatus
from trading_system.domain.orders import (
    ClientOrderId,
    EntryOrder,
    EntryStyle,
    Fill,
    FillId,
    FillKind,
    Side,
    StopOrder,
    VenueOrderId,
)
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Price, Qty

T = "2026-09-07T05:30:00.000Z"
AT = datetime(2026, 9, 7, 5, 30, tzinfo=UTC)
BTC = Symbol("BTC/USD")


def D(text: str) -> Decimal:
    return Decimal(text)


class ManualClock:
    """Time moves when told, or by sleeping."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return AT + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def market_in(self, process_seconds: float) -> datetime:
        return self.now() + timedelta(seconds=process_seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)

    async def sleep_until(self, moment: datetime) -> None:
        await self.sleep(max(0.0, (moment - self.now()).total_seconds()))


def an_instrument(tick: str = "1", step: str = "0.0001", symbol: str = "BTC/USD", venue: str = "PF_XBTUSD") -> Instrument:
    levels = (MarginLevel(D("0"), D("0.02"), D("0.01")),)
    return Instrument(Symbol(symbol), venue, D(tick), D(step), Qty(D(step)), None, levels, TradingStatus.OPEN)


def an_entry(style: EntryStyle = EntryStyle.IOC, qty: str = "0.01", limit: str = "80000", client_id: str = "e-1") -> EntryOrder:
    return EntryOrder(ClientOrderId(client_id), BTC, Side.BUY, Qty(D(qty)), style, Price(D(limit)), AT)


def a_stop(qty: str = "0.01", trigger: str = "78000", client_id: str = "s-1") -> StopOrder:
    return StopOrder(ClientOrderId(client_id), BTC, Side.SELL, Qty(D(qty)), Price(D(trigger)))


def a_fill(number: int, at: datetime) -> Fill:
    return Fill(
        FillId(f"f{number}"),
        VenueOrderId("o"),
        None,
        BTC,
        Side.BUY,
        Qty(D("0.01")),
        Price(D("80000")),
        at,
        FillKind.TAKER,
        None,
    )


def success(**payload: Any) -> dict[str, Any]:
    return {"result": "success", "serverTime": T, **payload}


def flex(**changes: Any) -> dict[str, Any]:
    fields = {
        "type": "multiCollateralMarginAccount",
        "initialMargin": D("100.0"),
        "initialMarginWithOrders": D("120.0"),
        "maintenanceMargin": D("50.0"),
        "balanceValue": D("10000.0"),
        "portfolioValue": D("10012.0"),
        "collateralValue": D("10000.0"),
        "pnl": D("12.0"),
        "unrealizedFunding": D("0.1"),
        "marginEquity": D("10012.1"),
        "availableMargin": D("9892.1"),
    }
    fields.update(changes)
    return {key: value for key, value in fields.items() if value is not ...}


def fill_row(**changes: Any) -> dict[str, Any]:
    row = {
        "fill_id": "f-1",
        "order_id": "o-1",
        "cliOrdId": "c1",
        "symbol": "PF_XBTUSD",
        "side": "buy",
        "size": D("0.01"),
        "price": D("79842.0"),
        "fillTime": T,
        "fillType": "taker",
    }
    row.update(changes)
    return {key: value for key, value in row.items() if value is not ...}


def stop_row(**changes: Any) -> dict[str, Any]:
    row = {
        "order_id": "o-2",
        "cliOrdId": "sl-1",
        "symbol": "PF_XBTUSD",
        "side": "sell",
        "orderType": "stp",
        "stopPrice": D("78000.0"),
        "triggerSignal": "mark",
        "unfilledSize": D("0.01"),
        "filledSize": D("0.0"),
        "status": "untouched",
        "reduceOnly": True,
        "receivedTime": T,
        "lastUpdateTime": T,
    }
    row.update(changes)
    return {key: value for key, value in row.items() if value is not ...}
