"""Settings into the parameters of the edges: the venue's wire and the main database. `parameters` has the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from trading_system.config.settings import Settings
from trading_system.domain.market import Timeframe
from trading_system.exchange.kraken_futures.config import KrakenConfig
from trading_system.exchange.kraken_futures.rate_budget import BudgetRules, PoolRule
from trading_system.exchange.kraken_futures.write_gate import BreakerRule
from trading_system.storage.delivery import WriterParameters
from trading_system.wiring.venue_kraken import WireLimits


def with_deadlines(config: KrakenConfig, settings: Settings) -> KrakenConfig:
    """The venue's addresses and keys, with the configured deadlines."""
    e = settings.exchange
    return replace(
        config,
        read_timeout_s=float(e.read_timeout_s),
        order_timeout_s=float(e.order_timeout_s),
        ws_ping_s=float(e.websocket_ping_s),
        ws_silence_s=float(e.websocket_silence_s_max),
    )


def wire_limits(settings: Settings) -> WireLimits:
    """Call points and entry sends."""
    e, x = settings.exchange, settings.execution
    return WireLimits(
        budget=BudgetRules(
            trading=PoolRule(e.budget_points, float(e.budget_window_s)),
            history=PoolRule(e.history_budget_points, float(e.history_budget_window_s)),
            protective_share=e.protective_budget_share,
            protective_wait_s_max=float(e.protective_wait_s_max),
        ),
        entry_sends=(BreakerRule(x.entry_sends_per_minute_max, 60.0), BreakerRule(x.entry_sends_per_10_s_max, 10.0)),
    )


def writer_parameters(settings: Settings) -> WriterParameters:
    """How the main database is written and pruned."""
    r = settings.data.retention
    days = {Timeframe.M15: r.m15_days, Timeframe.H1: r.h1_days, Timeframe.H4: r.h4_days, Timeframe.D1: r.d1_days}
    return WriterParameters(candle_ages=MappingProxyType({timeframe: timedelta(days=count) for timeframe, count in days.items()}))
