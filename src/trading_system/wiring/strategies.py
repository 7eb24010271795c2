"""The configured strategy, made anew for each run."""

from __future__ import annotations

import sys
from hashlib import blake2b
from pathlib import Path

from trading_system.config.settings import Settings
from trading_system.domain.errors import ConfigError
from trading_system.domain.orders import EntryStyle
from trading_system.domain.protocols import Strategy
from trading_system.domain.units import BPS
from trading_system.live import volatility
from trading_system.strategy.catalogue import EngineChoice, make_strategy
from trading_system.strategy.placebo import FixedCosts
from trading_system.strategy.smc_engine import SmcStrategy
from trading_system.wiring.parameters import risk_limits, smc_parameters


def engine_choice(settings: Settings) -> EngineChoice:
    """`strategy.engine` and its options; ConfigError when an option is given twice."""
    options: dict[str, str] = {}
    for text in settings.strategy.engine_options:
        name, _, value = text.partition("=")
        if name in options:
            raise ConfigError(f"strategy.engine_options: {name} is given twice")
        options[name] = value
    return EngineChoice(settings.strategy.engine, smc_parameters(settings), options, float(settings.strategy.signal_cooldown_hours))


def placebo_of(choice: EngineChoice) -> EngineChoice:
    """The yardstick: the same strategy (its options with it), its markets, sides and distances, entered at random later bars."""
    options = {f"{choice.name}.{name}": value for name, value in choice.options.items()}
    return EngineChoice(f"placebo:{choice.name}", choice.smc, options, choice.cooldown_hours)


def strategy_of(settings: Settings) -> Strategy:
    """A new strategy without bars; ConfigError as of `make_strategy`."""
    return make_strategy(engine_choice(settings))


def maker_of(settings: Settings, strategy: Strategy) -> str:
    """Names what a kept engine state hangs on: the code of the strategy and of what it is made of, and its numbers."""
    seen = blake2b(repr(engine_choice(settings)).encode(), digest_size=16)
    for path in sorted({*_sources(type(strategy).__module__), *_sources(SmcStrategy.__module__), Path(volatility.__file__)}):
        seen.update(path.read_bytes())
    return f"{settings.strategy.engine} {seen.hexdigest()}"


def _sources(module_name: str) -> tuple[Path, ...]:
    """The file of a module and its neighbours in the same package; a module without a package stands alone."""
    module = sys.modules.get(module_name)
    file = None if module is None else getattr(module, "__file__", None)
    if module is None or file is None:
        return ()
    return tuple(Path(file).parent.glob("*.py")) if module.__package__ else (Path(file),)


def assumed_costs(settings: Settings) -> FixedCosts:
    """What a trade is taken to cost where no quote is at hand: the spread of a liquid market, fees as of the configured entries."""
    limits = risk_limits(settings)
    entry = limits.fees.maker if limits.entry_style is EntryStyle.POST_ONLY else limits.fees.taker
    return FixedCosts(entry_fee_bps=float(entry / BPS), exit_fee_bps=float(limits.fees.taker / BPS))
