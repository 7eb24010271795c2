"""Which path answers what, whose budget it costs, and the way of a request: find, authenticate, charge, answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from trading_system.sim.kraken_server import charts, history, rest_account, rest_margin, rest_orders, rest_private, rest_public
from trading_system.sim.kraken_server.auth import Credentials, Nonces, is_authentic
from trading_system.sim.kraken_server.desk import Desk
from trading_system.sim.kraken_server.envelope import Answer, RequestRefused, failure, not_found, success
from trading_system.sim.kraken_server.params import Params
from trading_system.sim.kraken_server.rate_budget import Pool, RateBudget, account_log_tokens

Endpoint: TypeAlias = Callable[[Desk, Params], Any]
Cost: TypeAlias = Callable[[Params], int]
_UNPUBLISHED: Final = -1
"""Marks a cost that no page tells: the variant decides."""

_V3: Final = "/derivatives/api/v3/"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request as it arrived: `query` and `body` are raw, because signatures are made over them."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    key: str = ""
    authent: str = ""
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    endpoint: Endpoint
    pool: Pool = Pool.PUBLIC
    cost: Cost = lambda _params: 0
    is_enveloped: bool = True
    content_type: str = "application/json"

    def points(self, params: Params, unpublished: int) -> int:
        """What a request costs; `unpublished` = where no page tells it."""
        points = self.cost(params)
        return unpublished if points == _UNPUBLISHED else points


def _public(endpoint: Endpoint) -> Route:
    return Route(endpoint)


def _bare(endpoint: Endpoint) -> Route:
    return Route(endpoint, is_enveloped=False)


def _private(endpoint: Endpoint, points: int) -> Route:
    return Route(endpoint, Pool.TRADING, lambda _params: points)


def _history(endpoint: Endpoint, cost: Cost = lambda _params: 1) -> Route:
    return Route(endpoint, Pool.HISTORY, cost, is_enveloped=False)


_CSV: Final = Route(history.account_log_csv, Pool.HISTORY, lambda _params: 6, is_enveloped=False, content_type="text/csv")

ROUTES: Final[Mapping[tuple[str, str], Route]] = {
    ("GET", _V3 + "instruments"): _public(rest_public.instruments),
    ("GET", _V3 + "instruments/status"): _public(rest_public.instruments_status),
    ("GET", _V3 + "tickers"): _public(rest_public.tickers),
    ("GET", _V3 + "orderbook"): _public(rest_public.orderbook),
    ("GET", _V3 + "history"): _public(rest_public.history),
    ("GET", _V3 + "feeschedules"): _public(rest_public.feeschedules),
    ("GET", _V3 + "historical-funding-rates"): _public(rest_public.funding_rates),
    ("GET", "/derivatives/api/v4/historicalfundingrates"): _public(rest_public.funding_rates),
    ("GET", "/derivatives/api/v4/historical-funding-rates"): _public(rest_public.funding_rates),
    ("GET", "/api/charts/v1"): _bare(charts.tick_types),
    ("GET", "/api/charts/v1/"): _bare(charts.tick_types),
    ("GET", _V3 + "accounts"): _private(rest_private.accounts, 2),
    ("GET", _V3 + "openpositions"): _private(rest_private.open_positions, 2),
    ("GET", _V3 + "openorders"): _private(rest_private.open_orders, 2),
    ("GET", _V3 + "orders/status"): _private(rest_private.orders_status, 1),
    ("POST", _V3 + "orders/status"): _private(rest_private.orders_status, 1),
    ("GET", _V3 + "fills"): Route(rest_private.fills, Pool.TRADING, lambda params: 25 if params.text("lastFillTime") else 2),
    ("GET", _V3 + "feeschedules/volumes"): _private(rest_private.fee_volumes, _UNPUBLISHED),
    ("GET", _V3 + "notifications"): _private(rest_private.notifications, _UNPUBLISHED),
    ("GET", _V3 + "leveragepreferences"): _private(rest_private.leverage_preferences, 2),
    ("PUT", _V3 + "leveragepreferences"): _private(rest_private.put_leverage_preference, 10),
    ("GET", _V3 + "pnlpreferences"): _private(rest_private.pnl_preferences, 2),
    ("PUT", _V3 + "pnlpreferences"): _private(rest_private.put_pnl_preference, 10),
    ("GET", _V3 + "initialmargin"): _private(rest_margin.order_margin, 2),
    ("GET", _V3 + "initialmargin/maxordersize"): _private(rest_margin.max_order_size, 2),
    ("GET", _V3 + "unwindqueue"): _private(rest_account.unwind_queue, 200),
    ("GET", _V3 + "subaccounts"): _private(rest_account.subaccounts, 2),
    ("GET", _V3 + "self-trade-strategy"): _private(rest_account.self_trade_strategy, 2),
    ("PUT", _V3 + "self-trade-strategy"): _private(rest_account.put_self_trade_strategy, 2),
    ("POST", _V3 + "transfer"): _private(rest_account.transfer, 10),
    ("POST", _V3 + "transfer/subaccount"): _private(rest_account.transfer_subaccount, 10),
    ("POST", _V3 + "withdrawal"): _private(rest_account.withdraw, 100),
    ("POST", _V3 + "withdrawaltospotwallet"): _private(rest_account.withdraw, 100),
    ("POST", _V3 + "sendorder"): _private(rest_orders.send_order, 10),
    ("POST", _V3 + "editorder"): _private(rest_orders.edit_order, 10),
    ("POST", _V3 + "cancelorder"): _private(rest_orders.cancel_order, 10),
    ("POST", _V3 + "cancelallorders"): _private(rest_orders.cancel_all_orders, 25),
    ("POST", _V3 + "cancelallordersafter"): _private(rest_orders.cancel_all_orders_after, 25),
    ("POST", _V3 + "batchorder"): Route(rest_orders.batch_order, Pool.TRADING, lambda params: 9 + len(rest_orders.batch_items(params))),
    ("GET", "/api/history/v2/orders"): _history(history.order_events),
    ("GET", "/api/history/v2/triggers"): _history(history.trigger_events),
    ("GET", "/api/history/v2/executions"): _history(history.execution_events),
    ("GET", "/api/history/v3/orders"): _history(history.order_events),
    ("GET", "/api/history/v3/triggers"): _history(history.trigger_events),
    ("GET", "/api/history/v3/executions"): _history(history.execution_events),
    ("GET", "/api/history/v3/positions"): _history(history.position_events),
    ("GET", "/api/history/v3/account-log"): _history(history.account_log, lambda params: account_log_tokens(history.log_count(params))),
    ("GET", "/api/history/v2/account-log"): _history(history.account_log, lambda params: account_log_tokens(history.log_count(params))),
    ("GET", "/api/history/v2/accountlogcsv"): _CSV,
    ("GET", "/api/history/v3/accountlogcsv"): _CSV,
}

PATTERNS: Final[tuple[tuple[str, re.Pattern[str], Route], ...]] = (
    ("GET", re.compile(r"/api/charts/v1/(?P<tick_type>[^/]+)/(?P<symbol>[^/]+)/(?P<resolution>[^/]+)"), _bare(charts.candles)),
    ("GET", re.compile(r"/api/charts/v1/(?P<tick_type>[^/]+)/(?P<symbol>[^/]+)/?"), _bare(charts.resolutions)),
    ("GET", re.compile(r"/api/charts/v1/(?P<tick_type>[^/]+)/?"), _bare(charts.chart_symbols)),
    ("GET", re.compile(re.escape(_V3) + r"tickers/(?P<symbol>[^/]+)"), _public(rest_public.ticker)),
    ("GET", re.compile(re.escape(_V3) + r"instruments/(?P<symbol>[^/]+)/status"), _public(rest_public.instrument_status)),
    ("GET", re.compile(r"/api/history/v[23]/market/(?P<symbol>[^/]+)/executions"), _bare(history.market_executions)),
    ("GET", re.compile(r"/api/history/v[23]/market/(?P<symbol>[^/]+)/orders"), _bare(history.market_orders)),
    ("GET", re.compile(r"/api/history/v[23]/market/(?P<symbol>[^/]+)/price"), _bare(history.market_prices)),
)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a request and the values in its path, or None."""
    route = ROUTES.get((method, path))
    if route is not None:
        return route, {}
    for wanted, pattern, candidate in PATTERNS:
        match = pattern.fullmatch(path) if method == wanted else None
        if match:
            return candidate, match.groupdict()
    return None


class Api:
    """The REST front without HTTP: a request in, an answer out."""

    def __init__(self, desk: Desk, credentials: Credentials, budget: RateBudget) -> None:
        self._desk = desk
        self._credentials = credentials
        self._budget = budget
        self._nonces = Nonces()

    def answer(self, request: ApiRequest, now_s: float) -> Answer:
        """Answer one request; `now_s` is process time, for the rate budget."""
        now_ms = self._desk.server_ms
        variants = self._desk.exchange.config.variants
        found = find_route(request.method, request.path)
        if found is None or (found[0].pool is Pool.HISTORY and not variants.serves_history):
            return not_found(now_ms)
        route, path_values = found
        if route.pool is not Pool.PUBLIC and not self._is_authentic(request):
            return failure("authenticationError", now_ms)
        if route.pool is not Pool.PUBLIC and variants.checks_nonces:
            fault = self._nonces.find_fault(request.nonce)
            if fault is not None:
                return failure(fault, now_ms)
        if route.pool is not Pool.PUBLIC and self._desk.exchange.is_down:
            return replace(failure("Unavailable", now_ms), status=variants.maintenance_status)
        try:
            params = Params.of_request(request.query, request.body, path_values)
            if not self._budget.take(route.pool, route.points(params, variants.unpublished_points), now_s):
                return failure("apiLimitExceeded", now_ms)
            payload = route.endpoint(self._desk, params)
        except RequestRefused as refused:
            return refused.answer(now_ms)
        return success(payload, now_ms) if route.is_enveloped else Answer(200, payload, route.content_type)

    def _is_authentic(self, request: ApiRequest) -> bool:
        return is_authentic(
            self._credentials,
            key=request.key,
            authent=request.authent,
            nonce=request.nonce,
            post_data=request.query + request.body,
            url_path=request.path,
        )
