"""Only Kraken's hosts over TLS, or this machine; no secret in any text."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from kraken_builders import ManualClock

from trading_system.domain.errors import ConfigError
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.rate_budget import RateBudget
from trading_system.exchange.kraken_futures.venue import KrakenFuturesVenue
from trading_system.exchange.kraken_futures.write_gate import WriteGate, WriteMode


class Middle:
    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


@pytest.mark.parametrize(
    "config",
    [
        KrakenConfig.production(),
        KrakenConfig.demo("key", "c2VjcmV0"),
        KrakenConfig.at("http://127.0.0.1:8431"),
        KrakenConfig.at("http://[::1]:1"),
    ],
)
def test_known_venues_are_accepted(config: KrakenConfig) -> None:
    config.check()


@pytest.mark.parametrize(
    "base",
    [
        "http://futures.kraken.com",
        "https://futures.kraken.com.evil.example",
        "https://evil.example",
        "http://10.0.0.1",
        "https://user:pass@futures.kraken.com",
        "ftp://127.0.0.1",
        "https://futures.kraken.com:8443",
    ],
)
def test_any_other_address_is_refused(base: str) -> None:
    with pytest.raises(ConfigError):
        KrakenConfig.at(base).check()


def test_addresses_on_two_hosts_are_refused() -> None:
    mixed = dataclasses.replace(KrakenConfig.production(), base_charts=KrakenConfig.demo().base_charts)

    with pytest.raises(ConfigError, match="one host"):
        mixed.check()


@pytest.mark.parametrize(("key", "secret"), [("key", None), (None, "c2VjcmV0"), ("key", "not base64 hunter2!")])
def test_half_a_credential_or_a_garbled_one_is_refused_without_quoting_it(key: str | None, secret: str | None) -> None:
    with pytest.raises(ConfigError) as refused:
        KrakenConfig.at("http://127.0.0.1:1", key, secret).check()
    assert "hunter2" not in str(refused.value)


def test_the_repr_shows_no_credentials() -> None:
    assert "KEY" not in repr(KrakenConfig.production("KEY", "U0VDUkVU"))
    assert "U0VDUkVU" not in repr(KrakenConfig.production("KEY", "U0VDUkVU"))


def test_the_venue_checks_its_addresses_before_anything_else() -> None:
    clock = ManualClock()
    with pytest.raises(ConfigError):
        KrakenFuturesVenue(KrakenConfig.at("https://evil.example"), clock, WriteGate(clock, WriteMode.LIVE), RateBudget(clock), Middle())


def test_importing_the_venue_does_not_pay_for_ccxt() -> None:
    program = "import sys, trading_system.exchange.kraken_futures.venue; print('ccxt' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
