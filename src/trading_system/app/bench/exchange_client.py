"""A plain client of the exchange's protocol: signed requests over HTTP, feeds over WebSocket. It knows no more than a stranger's would."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from time import perf_counter
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from trading_system.app.bench.exchange_child import ExchangeChild
from trading_system.sim.kraken_server.auth import sign_challenge, sign_request

PRIVATE_FEEDS: Final = ("fills", "open_orders", "open_orders_verbose", "open_positions", "balances", "account_log", "notifications_auth")
MARKET_FEEDS: Final = ("ticker", "ticker_lite", "trade", "book")
_V3: Final = "/derivatives/api/v3/"


class ExchangeClient:
    """Use as an async context manager. `latencies_ms` collects every answered request until somebody clears it."""

    def __init__(self, venue: ExchangeChild) -> None:
        self._venue = venue
        self._secret = base64.b64decode(venue.secret)
        self.latencies_ms: list[float] = []
        self.server_time = datetime.min.replace(tzinfo=UTC)
        """Market time of the newest answer."""
        self.frames = 0
        self.gaps = 0
        """Breaks in the sequence of a book."""
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._book_seqs: dict[str, int] = {}

    async def __aenter__(self) -> ExchangeClient:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.close()

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        return await self.request("GET", path, params)

    async def post(self, path: str, **params: str) -> dict[str, Any]:
        return await self.request("POST", path, params)

    async def request(self, method: str, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """One signed request below v3 (a path with a leading / is taken whole). ValueError for an answer that is no success."""
        whole = path if path.startswith("/") else _V3 + path
        query = urlencode(params)
        headers = {"APIKey": self._venue.key, "Authent": sign_request(self._secret, query, "", whole)}
        begun = perf_counter()
        url = f"{self._venue.base_url}{whole}" + (f"?{query}" if query else "")
        async with self._http.request(method, URL(url, encoded=True), headers=headers) as answer:
            payload: dict[str, Any] = json.loads(await answer.read())
        self.latencies_ms.append((perf_counter() - begun) * 1000)
        self.server_time = datetime.fromisoformat(payload["serverTime"]) if "serverTime" in payload else self.server_time
        if payload.get("result", "success") != "success":
            raise ValueError(f"{method} {path}: {payload}")
        return payload

    async def watch(self, symbols: list[str]) -> None:
        """Subscribe to every feed, count frames and gaps, until cancelled. ConnectionError when the connection ends."""
        async with self._http.ws_connect(self._venue.base_url.replace("http", "ws") + "/ws/v1") as socket:
            self._socket = socket
            for feed in MARKET_FEEDS:
                await socket.send_json({"event": "subscribe", "feed": feed, "product_ids": symbols})
            await socket.send_json({"event": "subscribe", "feed": "heartbeat"})
            await socket.send_json({"event": "challenge", "api_key": self._venue.key})
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    break
                message = json.loads(frame.data)
                if message.get("event") == "challenge":
                    signed = sign_challenge(self._secret, message["message"])
                    proof = {"api_key": self._venue.key, "original_challenge": message["message"], "signed_challenge": signed}
                    for feed in PRIVATE_FEEDS:
                        await socket.send_json({"event": "subscribe", "feed": feed, **proof})
                self.note(message)
            ended = socket.close_code
        raise ConnectionError(f"the exchange ended the feed connection with code {ended} after {self.frames} frames")

    async def ping(self) -> None:
        """A connection from which nothing comes for 60 s is dropped, however much goes to it."""
        if self._socket is not None:
            await self._socket.ping()

    def note(self, message: Mapping[str, Any]) -> None:
        """Count a frame."""
        self.frames += 1
        if "event" in message or message["feed"] not in ("book", "book_snapshot"):
            return
        symbol, seq = message["product_id"], message["seq"]
        if message["feed"] == "book" and self._book_seqs.get(symbol, seq - 1) != seq - 1:
            self.gaps += 1
        self._book_seqs[symbol] = seq
