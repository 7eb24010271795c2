"""ccxt as signer and transport: raw answers, exact decimals, no throttle, no retry, no redirect, no log of headers.

Importing this module imports a part of ccxt, so only `rest.py` does it, when the adapter is opened.
"""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import Any, NoReturn

import aiohttp

from trading_system.exchange.kraken_futures.ccxt_import import import_krakenfutures
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.errors import VenueHttpError, error_word


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def decode_json(text: object) -> object:
    """JSON with every fraction as an exact Decimal; None when it is no JSON object or list (NaN and Infinity included)."""
    if not isinstance(text, str):
        return None
    try:
        decoded: object = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, (dict, list)) else None


class DirectSession:
    """An aiohttp session that follows no redirect: a followed 307 would send an order request a second time."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @property
    def headers(self) -> Any:
        """The session's default headers; ccxt merges them into each request."""
        return self._session.headers

    def get(self, url: Any, **options: Any) -> Any:
        return self._session.get(url, allow_redirects=False, **options)

    def post(self, url: Any, **options: Any) -> Any:
        return self._session.post(url, allow_redirects=False, **options)


def _silent_logger() -> logging.Logger:
    # ccxt logs request headers (key and signature) at debug level; nothing of it may reach a handler
    logger = logging.Logger("ccxt.silent")
    logger.disabled = True
    return logger


class RawKrakenFutures(import_krakenfutures()):  # type: ignore[misc]
    """The implicit endpoint methods of ccxt, with raw answers. Its unified methods are not used anywhere."""

    logger = _silent_logger()

    def parse_json(self, http_response: object) -> object:
        return decode_json(http_response)

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: object,
        body: object,
        response: object,
        requestHeaders: object,  # noqa: N803
        requestBody: object,  # noqa: N803
    ) -> None:
        """Errors told with HTTP 200 stay in the answer, for us to judge; any other status is raised as it is."""
        if not 200 <= code < 300:
            raise VenueHttpError(code, error_word(response))


def make_client(config: KrakenConfig, session: DirectSession) -> RawKrakenFutures:
    """A client for the addresses and the key of `config`. The session is ours to close."""
    longest_s = max(config.read_timeout_s, config.order_timeout_s)
    return RawKrakenFutures(
        {
            "apiKey": config.key,
            "secret": config.secret,
            "session": session,
            "enableRateLimit": False,
            "rateLimit": 1,
            # our own deadlines are shorter; this one only bounds what they might miss
            "timeout": int(longest_s * 1000) + 2000,
            "aiohttp_trust_env": False,
            "timeout_on_exit": 0,
            "options": {"maxRetriesOnFailure": 0},
            "urls": {
                "api": {
                    "public": config.base_rest,
                    "private": config.base_rest,
                    "charts": config.base_charts,
                    "history": config.base_history,
                }
            },
        }
    )
