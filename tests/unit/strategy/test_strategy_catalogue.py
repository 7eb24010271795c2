"""Strategies by name: built in, placebo of any, and of other packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from strategy_builders import QUICK, SYMBOL
from strategy_port_suite import COSTS
from trading_system.config.settings import Settings
from trading_system.domain.errors import ConfigError
from trading_system.domain.signals import NoSignal
from trading_system.strategy.catalogue import GROUP, EngineChoice, installed, make_strategy
from trading_system.strategy.donchian import DonchianParameters, DonchianStrategy
from trading_system.strategy.parameters import SmcParameters
from trading_system.strategy.placebo import PlaceboParameters, PlaceboStrategy
from trading_system.strategy.smc_engine import SmcStrategy
from trading_system.wiring.strategies import engine_choice, placebo_of, strategy_of


@dataclass(frozen=True, slots=True)
class Plug:
    """An installed strategy."""

    name: str
    factory: Any

    def load(self) -> Any:
        return self.factory


def no_plugins() -> tuple[Plug, ...]:
    return ()


def refusal(choice: EngineChoice, find: Callable[[], Any] = no_plugins) -> str:
    with pytest.raises(ConfigError) as caught:
        make_strategy(choice, find)
    return str(caught.value)


def test_the_built_in_names_make_the_built_in_strategies() -> None:
    assert isinstance(make_strategy(EngineChoice()), SmcStrategy)
    assert isinstance(make_strategy(EngineChoice("donchian")), DonchianStrategy)
    assert isinstance(make_strategy(EngineChoice("placebo")), PlaceboStrategy)


def test_smc_gets_the_configured_numbers() -> None:
    smc = make_strategy(EngineChoice("smc", QUICK))

    assert isinstance(smc, SmcStrategy)
    assert smc.engine(SYMBOL).parameters == QUICK != SmcParameters()


def test_options_reach_the_strategy_as_numbers() -> None:
    made = make_strategy(EngineChoice("donchian", options={"channel_bars": "55", "stop_atr_4h": "2.5"}))

    assert isinstance(made, DonchianStrategy)
    assert made._parameters == DonchianParameters(channel_bars=55, stop_atr_4h=2.5)


def test_a_placebo_of_another_strategy_shares_the_options_out() -> None:
    made = make_strategy(EngineChoice("placebo:donchian", options={"seed": "7", "donchian.channel_bars": "55"}, cooldown_hours=2.0))

    assert isinstance(made, PlaceboStrategy)
    assert made._parameters == PlaceboParameters(seed=7, cooldown_hours=2.0)
    assert isinstance(made._followed, DonchianStrategy)
    assert made._followed._parameters.channel_bars == 55


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    text = refusal(EngineChoice("smcc"), lambda: (Plug("zeta", DonchianStrategy), Plug("alpha", DonchianStrategy)))

    assert text == "strategy.engine = smcc: no such strategy; known: smc, donchian, placebo, placebo:NAME, alpha, zeta"


@pytest.mark.parametrize(
    ("choice", "part"),
    [
        (EngineChoice("smc", options={"seed": "1"}), "smc has none"),
        (EngineChoice("donchian", options={"chanel_bars": "5"}), "donchian has no such option; known: age_of_4h_close_max_h"),
        (EngineChoice("donchian", options={"channel_bars": "5.5"}), "channel_bars=5.5: must be a whole number"),
        (EngineChoice("donchian", options={"target_r": "much"}), "target_r=much: must be a number"),
        (EngineChoice("donchian", options={"target_r": "nan"}), "target_r is nan"),
        (EngineChoice("placebo:placebo"), "not another placebo"),
        (EngineChoice("placebo:placebo:smc"), "not another placebo"),
        (EngineChoice("placebo:nobody"), "no such strategy"),
        (EngineChoice("placebo:donchian", options={"donchian.seed": "1"}), "donchian has no such option"),
    ],
    ids=lambda value: f"{value.name} {dict(value.options)}" if isinstance(value, EngineChoice) else None,
)
def test_what_does_not_fit_is_refused_by_name(choice: EngineChoice, part: str) -> None:
    assert part in refusal(choice)


class Mine(DonchianStrategy):
    """A strategy of another package."""

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.options = options


def test_an_installed_factory_gets_the_options_when_it_takes_them() -> None:
    made = make_strategy(EngineChoice("mine", options={"a": "b"}), lambda: (Plug("mine", Mine),))

    assert isinstance(made, Mine)
    assert made.options == {"a": "b"}
    assert isinstance(made.decide(SYMBOL, 0, COSTS), NoSignal)


def test_an_installed_factory_without_arguments_is_called_without_and_refuses_options() -> None:
    def find() -> tuple[Plug, ...]:
        return (Plug("mine", lambda: Mine()),)

    assert isinstance(make_strategy(EngineChoice("mine"), find), Mine)
    assert isinstance(make_strategy(EngineChoice("placebo:mine"), find), PlaceboStrategy)
    assert "mine takes none" in refusal(EngineChoice("mine", options={"a": "b"}), find)


def test_an_installed_package_that_is_no_strategy_is_refused() -> None:
    assert "must be callable" in refusal(EngineChoice("mine"), lambda: (Plug("mine", 5),))
    assert "it has no update, decide, mark_emitted, forget" in refusal(EngineChoice("mine"), lambda: (Plug("mine", lambda: 5),))


def test_a_real_entry_point_is_loaded_and_a_broken_one_refused() -> None:
    empty = EntryPoint("empty", "trading_system.strategy.donchian:NoSuchClass", GROUP)
    real = EntryPoint("real", f"{__name__}:Mine", GROUP)
    broken = EntryPoint("broken", "no_such_package:Strategy", GROUP)

    def find() -> tuple[EntryPoint, ...]:
        return (empty, real, broken)

    assert type(make_strategy(EngineChoice("real"), find)).__name__ == "Mine"
    assert "cannot be loaded: No module named 'no_such_package'" in refusal(EngineChoice("broken"), find)
    assert "cannot be loaded" in refusal(EngineChoice("empty"), find)
    assert all(plugin.name for plugin in installed())


def test_the_configuration_chooses_the_strategy() -> None:
    settings = Settings.model_validate(
        {"strategy": {"engine": "placebo:donchian", "engine_options": ["seed=7"], "signal_cooldown_hours": 3}}
    )

    made = strategy_of(settings)

    assert isinstance(made, PlaceboStrategy)
    assert made._parameters == PlaceboParameters(seed=7, cooldown_hours=3.0)
    assert engine_choice(Settings()) == EngineChoice()


def test_an_option_that_is_given_twice_is_refused() -> None:
    settings = Settings.model_validate({"strategy": {"engine": "donchian", "engine_options": ["target_r=2", "target_r=3"]}})

    with pytest.raises(ConfigError, match="target_r is given twice"):
        strategy_of(settings)


@pytest.mark.parametrize("text", ["seed", "=1", "seed=", "se ed=1", "seed= 1"])
def test_an_option_of_another_form_is_refused_by_the_settings(text: str) -> None:
    with pytest.raises(ValueError, match="engine_options"):
        Settings.model_validate({"strategy": {"engine_options": [text]}})


def test_the_yardstick_of_a_strategy_follows_it_with_its_options() -> None:
    choice = EngineChoice("donchian", options={"channel_bars": "55"}, cooldown_hours=6.0)

    assert placebo_of(choice) == EngineChoice("placebo:donchian", options={"donchian.channel_bars": "55"}, cooldown_hours=6.0)
    assert isinstance(make_strategy(placebo_of(choice)), PlaceboStrategy)
