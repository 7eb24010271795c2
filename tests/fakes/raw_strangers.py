"""Plain HTTP and WebSocket against a server on loopback, signed by hand: what goes over the wire, parsed by nobody."""

from __future__ import annotations

from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import aiohttp

from fakes.kraken_server_rig import KEYS
from trading_system.sim.kraken_server.auth import sign_challenge, sign_request
from trading_system.sim.kraken_server.server import KrakenServer

V3 = "/derivatives/api/v3/"


class RawClient:
    """An open HTTP session; `async with`."""

    def __init__(self, server: KrakenServer) -> None:
        self._server = server

    async def __aenter__(self) -> RawClient:
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.http.close()

    async def ask(self, method: str, path: str, body: str = "", **params: Any) -> Any:
        """The decoded answer, whatever its status. A path without a leading slash is one of v3."""
        path = path if path.startswith("/") else V3 + path
        query = urlencode(params, doseq=True)
        headers = {"APIKey": KEYS.key, "Authent": sign_request(KEYS.secret_bytes, query + body, "", path)}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = f"{self._server.address.base_url}{path}{'?' if query else ''}{query}"
        async with self.http.request(method, url, data=body or None, headers=headers) as response:
            return await response.json(content_type=None)

    async def get(self, path: str, **params: Any) -> Any:
        return await self.ask("GET", path, **params)

    async def send(self, **params: Any) -> Any:
        """sendStatus of an order of 0.01 PF_XBTUSD, unless it says otherwise."""
        order = {"symbol": "PF_XBTUSD", "size": "0.01", **params}
        return (await self.ask("POST", "sendorder", **order))["sendStatus"]


class RawFeed:
    """One WebSocket connection, signed in. `heard`: every frame, in order; `async with`."""

    def __init__(self, client: RawClient, server: KrakenServer) -> None:
        self._client, self._server = client, server
        self.heard: list[dict[str, Any]] = []

    async def __aenter__(self) -> RawFeed:
        self._socket = await self._client.http.ws_connect(self._server.address.ws_url)
        await self.event("info")
        await self._socket.send_json({"event": "challenge", "api_key": KEYS.key})
        challenge = (await self.event("challenge"))["message"]
        signed = sign_challenge(KEYS.secret_bytes, challenge)
        self._proof = {"api_key": KEYS.key, "original_challenge": challenge, "signed_challenge": signed}
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._socket.close()

    async def subscribe(self, feed: str, *products: str) -> None:
        more: dict[str, Any] = {"product_ids": list(products)} if products else {}
        await self._socket.send_json({"event": "subscribe", "feed": feed, **more, **({} if products else self._proof)})

    async def tell(self, text: str) -> None:
        await self._socket.send_str(text)

    async def event(self, name: str) -> dict[str, Any]:
        return await self._next(lambda frame: frame.get("event") == name)

    async def of(self, feed: str) -> dict[str, Any]:
        """The next frame of a feed, looked for among those already heard first."""
        return await self._next(lambda frame: "event" not in frame and frame.get("feed") == feed)

    async def _next(self, fits: Any) -> dict[str, Any]:
        for number, frame in enumerate(self.heard):
            if fits(frame):
                return self.heard.pop(number)
        while True:
            frame = await self._socket.receive_json(timeout=5)
            if fits(frame):
                return frame  # type: ignore[no-any-return]
            self.heard.append(frame)
