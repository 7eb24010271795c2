"""Strategies by name: the built-in ones, the placebo of any, and those of other packages.

Another package offers a strategy through the entry point group `trading_system.strategies`: a callable that takes a mapping of
options (text by name), or nothing. Such code runs inside the daemon with all its rights, but only when its name is configured.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Protocol, TypeVar

from trading_system.domain.errors import ConfigError
from trading_system.domain.protocols import Strategy
from trading_system.strategy.donchian import DonchianParameters, DonchianStrategy
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.placebo import PlaceboParameters, PlaceboStrategy
from trading_system.strategy.smc_engine import SmcStrategy

GROUP: Final = "trading_system.strategies"
BUILT_IN: Final = ("smc", "donchian", "placebo")
_METHODS: Final = ("update", "decide", "mark_emitted", "forget")
_PLACEBO_OF: Final = "placebo:"

P = TypeVar("P", DonchianParameters, PlaceboParameters)


class Plugin(Protocol):
    """What is used of an importlib.metadata entry point."""

    @property
    def name(self) -> str: ...
    def load(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What the configuration says about the strategy.

    name: a built-in name, that of an installed one, or `placebo:NAME`; `placebo` alone follows `smc`.
    """

    name: str = "smc"
    smc: SmcParameters = field(default_factory=SmcParameters)
    options: Mapping[str, str] = field(default_factory=dict)
    """For anything but `smc`, whose numbers are configured one by one. With `placebo:NAME`: of the placebo, and with the prefix
    `NAME.` of the followed strategy."""
    cooldown_hours: float = 4.0
    """Between two signals of a symbol, as the live code keeps it; the placebo follows with the same."""


def installed() -> tuple[Plugin, ...]:
    """Strategies of other packages in this environment."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))


def make_strategy(choice: EngineChoice, find: Callable[[], Iterable[Plugin]] = installed) -> Strategy:
    """A new strategy. ConfigError: unknown name (the text lists the known ones), unfit options, or a package that cannot be used."""
    name, options = choice.name, choice.options
    if name == "smc":
        if options:
            raise ConfigError(f"strategy.engine_options {_listed(options)}: smc has none, its numbers are the other keys of strategy")
        return SmcStrategy(choice.smc)
    if name == "donchian":
        return DonchianStrategy(read_options(name, options, DonchianParameters()))
    if name == "placebo" or name.startswith(_PLACEBO_OF):
        return _make_placebo(choice, find)
    plugins = {plugin.name: plugin for plugin in find()}
    if name not in plugins:
        known = ", ".join((*BUILT_IN, "placebo:NAME", *sorted(plugins)))
        raise ConfigError(f"strategy.engine = {name}: no such strategy; known: {known}")
    return _make_installed(plugins[name], options)


def _make_placebo(choice: EngineChoice, find: Callable[[], Iterable[Plugin]]) -> Strategy:
    name = choice.name.removeprefix(_PLACEBO_OF) if choice.name != "placebo" else "smc"
    if name == "placebo" or name.startswith(_PLACEBO_OF):
        raise ConfigError(f"strategy.engine = {choice.name}: a placebo follows a strategy, not another placebo")
    prefix = f"{name}."
    own = {key: text for key, text in choice.options.items() if not key.startswith(prefix)}
    followed = {key.removeprefix(prefix): text for key, text in choice.options.items() if key.startswith(prefix)}
    defaults = PlaceboParameters(cooldown_hours=choice.cooldown_hours)
    parameters = read_options("placebo", own, defaults)
    return PlaceboStrategy(make_strategy(EngineChoice(name, choice.smc, followed, choice.cooldown_hours), find), parameters)


def _make_installed(plugin: Plugin, options: Mapping[str, str]) -> Strategy:
    where = f"strategy.engine = {plugin.name}"
    try:
        factory = plugin.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ConfigError(f"{where}: the installed package cannot be loaded: {error}") from error
    if not callable(factory):
        raise ConfigError(f"{where}: the entry point must be callable, it is a {type(factory).__name__}")
    if _takes_options(factory):
        strategy = factory(options)
    elif options:
        raise ConfigError(f"strategy.engine_options {_listed(options)}: {plugin.name} takes none")
    else:
        strategy = factory()
    missing = [method for method in _METHODS if not callable(getattr(strategy, method, None))]
    if missing:
        raise ConfigError(f"{where}: what the package makes is no strategy, it has no {', '.join(missing)}")
    made: Strategy = strategy
    return made


def _takes_options(factory: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # some callables of C have no signature
        return False
    return any(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.VAR_POSITIONAL) for one in parameters)


def read_options(name: str, options: Mapping[str, str], defaults: P) -> P:
    """`defaults` with the options on top; ConfigError names what is unknown or no number."""
    values: dict[str, Any] = {one.name: getattr(defaults, one.name) for one in fields(defaults)}
    kinds = {key: type(value) for key, value in values.items()}
    for key, text in options.items():
        if key not in kinds:
            raise ConfigError(f"strategy.engine_options {key}={text}: {name} has no such option; known: {', '.join(sorted(kinds))}")
        try:
            values[key] = kinds[key](text)
        except ValueError:
            wanted = "a whole number" if kinds[key] is int else "a number"
            raise ConfigError(f"strategy.engine_options {key}={text}: must be {wanted}") from None
    return type(defaults)(**values)


def _listed(options: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={text}" for key, text in options.items())
