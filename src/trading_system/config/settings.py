"""All settings in one frozen object. A default lives here and nowhere else; files and environment only override.

Example: `Settings().risk.max_leverage == Decimal("7")`. Other rooms take small parameter classes of their own, which
wiring fills from these sections; nobody passes the whole object down.
"""

from __future__ import annotations

import hashlib
import json

from trading_system.config.fields import Section
from trading_system.config.settings_operation import (
    BacktestSettings,
    ExchangeSettings,
    ExecutionSettings,
    MonitoringSettings,
    MultiTpSettings,
    PaperSettings,
    SafetySettings,
    SimSettings,
    SystemSettings,
)
from trading_system.config.settings_trading import AuctionSettings, DataSettings, RiskSettings, StrategySettings


class Settings(Section):
    """The whole configuration."""

    system: SystemSettings = SystemSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    data: DataSettings = DataSettings()
    strategy: StrategySettings = StrategySettings()
    risk: RiskSettings = RiskSettings()
    auction: AuctionSettings = AuctionSettings()
    execution: ExecutionSettings = ExecutionSettings()
    multi_tp: MultiTpSettings = MultiTpSettings()
    safety: SafetySettings = SafetySettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    paper: PaperSettings = PaperSettings()
    sim: SimSettings = SimSettings()
    backtest: BacktestSettings = BacktestSettings()


def config_hash(settings: Settings) -> str:
    """SHA-256 (hex) of all values; 0.9 and 0.90 are the same value."""
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
