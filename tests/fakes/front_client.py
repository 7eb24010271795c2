"""Asks the front in this process, without a socket: signed requests in, decoded answers out. Switches make the kind of venue."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from fakes.kraken_server_rig import KEYS, QUIET, SPECS
from fakes.scripted_market import START_MS, ScriptedMarket
from trading_system.sim.exchange import ExchangeConfig, SimExchange
from trading_system.sim.kraken_server.auth import sign_request
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.feed_hub import FeedHub
from trading_system.sim.kraken_server.rate_budget import RateBudget
from trading_system.sim.kraken_server.routes import Api, ApiRequest
from trading_system.sim.variants import ExchangeVariants

V3 = "/derivatives/api/v3/"
BTC = "PF_XBTUSD"


class FrontClient:
    """Signs and asks; answers (HTTP status, decoded payload)."""

    def __init__(self, **switches: Any) -> None:
        config = ExchangeConfig(variants=ExchangeVariants(**switches))
        self.exchange = SimExchange(ScriptedMarket(QUIET, SPECS), config)
        self.exchange.advance_to(START_MS + 1000)
        self.desk = Desk(self.exchange, "account")
        self.api = Api(self.desk, KEYS, RateBudget())

    def ask(self, method: str, name: str, body: str = "", **params: Any) -> tuple[int, Any]:
        query = urlencode(params)
        authent = sign_request(KEYS.secret_bytes, query + body, "", V3 + name)
        answer = self.api.answer(ApiRequest(method, V3 + name, query, body, KEYS.key, authent), 0.0)
        return answer.status, msgspec.json.decode(answer.body)

    def get(self, name: str, **params: Any) -> Any:
        return self.ask("GET", name, **params)[1]

    def send(self, **params: Any) -> Any:
        return self.ask("POST", "sendorder", **params)[1]

    def buy(self, size: str = "0.01") -> None:
        assert self.send(orderType="mkt", symbol=BTC, side="buy", size=size)["sendStatus"]["status"] == "placed"

    def feed(self, name: str) -> Any:
        return FeedHub(self.desk).first_messages(name, ())[0]
