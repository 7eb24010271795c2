"""The configured strategy, made anew for each run."""

from __future__ import annotations

from trading_system.config.settings import Settings
from trading_system.domain.errors import ConfigError
from trading_system.domain.protocols import Strategy
from trading_system.strategy.catalogue import EngineChoice, make_strategy
from trading_system.wiring.parameters import smc_parameters


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
    """The yardstick: the same strategy's markets, sides and distances, entered at random later bars."""
    return EngineChoice(f"placebo:{choice.name}", choice.smc, {}, choice.cooldown_hours)


def strategy_of(settings: Settings) -> Strategy:
    """A new strategy without bars; ConfigError as of `make_strategy`."""
    return make_strategy(engine_choice(settings))
