"""One torture run as data: which seed, how long, what goes wrong, when the process dies. Everything follows from the seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from trading_system.config.settings import Settings
from trading_system.domain.market import Tier
from trading_system.sim.fault_plan import FaultPlan, draw_plan
from trading_system.sim.market_catalog import CoinModel, catalogue
from trading_system.sim.rng import SeededRandom, seeded
from trading_system.torture.check_caps import CapLimits
from trading_system.torture.habits import Habits, draw_habits
from trading_system.torture.mortal import Death, DeathKind

START_MS: Final = 1_790_812_800_000
"""Market time at which every run begins: a full hour, far from real life."""
QUIET_S: Final = 900.0
"""How long nothing new goes wrong at the end: T_conv, the ten minutes of an unknown order, and some room."""
DRAIN_S: Final = 400.0
"""For the last part of the quiet phase nothing is opened, so that books can be compared."""
BASES: Final = ("BTC", "ETH", "SOL", "XRP", "DOGE", "LINK", "UNI", "ARB")
_DEATHS_PER_HOUR: Final = 1.5
_SUDDEN: Final = (DeathKind.NOW, DeathKind.BEFORE_SEND, DeathKind.AFTER_SEND, DeathKind.TORN_WRITE, DeathKind.AFTER_WRITE)
_STOPS_PER_HOUR: Final = 0.7
_SPOILT_SHARE: Final = 0.06


@dataclass(frozen=True, slots=True)
class Case:
    """hours: of the phase with faults; the quiet phase comes on top."""

    seed: int
    hours: float
    faults: FaultPlan
    deaths: tuple[Death, ...] = ()
    kills_s: tuple[float, ...] = ()
    """When somebody touches the kill-switch file (removed a little later, and resumed later still)."""

    quiet_s: float = QUIET_S
    positions_max: int = 8
    """How many markets may be held at once: with few, the cap binds and positions make room for better ones."""
    habits: Habits = field(default_factory=dict)
    """How the daemon is configured beyond that."""

    @property
    def faults_s(self) -> float:
        return self.hours * 3600

    @property
    def total_s(self) -> float:
        return self.faults_s + self.quiet_s


def draw_case(seed: int, hours: float) -> Case:
    """The swarm's case: a random part of the faults; two seeds of three also die now and then, one of three is stopped in order."""
    rng = seeded(seed, "deaths")
    deaths: list[Death] = []
    if rng.random() < 0.67:
        at_s = rng.expovariate(_DEATHS_PER_HOUR / 3600)
        while at_s < hours * 3600:
            deaths.append(Death(rng.choice(_SUDDEN), at_s, rng.uniform(2.0, 90.0), rng.random()))
            at_s += rng.expovariate(_DEATHS_PER_HOUR / 3600)
    kills = (rng.uniform(0, hours * 3600),) if rng.random() < 0.2 else ()
    deaths = _with_stops(deaths, seeded(seed, "stops"), hours * 3600)
    positions_max = seeded(seed, "caps").choice((8, 8, 3))
    return Case(seed, hours, draw_plan(seed, hours * 3600), tuple(deaths), kills, positions_max=positions_max, habits=draw_habits(seed))


def _with_stops(deaths: list[Death], rng: SeededRandom, until_s: float) -> list[Death]:
    """The deaths, some of them with spoilt halt files, and stops in order between them."""
    deaths = [replace(death, spoils=rng.random() < _SPOILT_SHARE) for death in deaths]
    if rng.random() < 0.33:
        at_s = rng.expovariate(_STOPS_PER_HOUR / 3600)
        while at_s < until_s:
            deaths.append(Death(DeathKind.ASKED, at_s, rng.uniform(2.0, 90.0), spoils=rng.random() < _SPOILT_SHARE))
            at_s += rng.expovariate(_STOPS_PER_HOUR / 3600)
    return sorted(deaths, key=lambda death: death.at_s)


def coins() -> tuple[CoinModel, ...]:
    """The markets of a run."""
    wanted = {f"PF_{'XBT' if base == 'BTC' else base}USD" for base in BASES}
    return tuple(coin for coin in catalogue() if coin.spec.symbol in wanted)


BUSY: Final[Mapping[str, Mapping[str, Any]]] = {
    "strategy": {"signal_cooldown_hours": "0.25"},
    "risk": {
        "risk_per_trade": "0.001",
        "opens_per_hour_max": 1000,
        "opens_per_day_max": 10000,
        "streaks": {"loss_bps_of_equity_min": "2000"},
    },
    "safety": {"api_errors_per_minute_max": 1000, "rejects_per_cycle_max": 100, "latency_s_max": "60"},
}
"""The brakes on frequency and noise released: execution is what is tried here."""


def busy_settings(more: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> Settings:
    """The daemon's own settings with `BUSY`, and `more` sections, on top."""
    return Settings.model_validate({**BUSY, **more})


def cap_limits(settings: Settings) -> CapLimits:
    """What the configuration allows, in the checker's words."""
    risk, tiers = settings.risk, settings.risk.tiers
    by_tier = {Tier.A: tiers.a, Tier.B: tiers.b, Tier.C: tiers.c}
    return CapLimits(
        positions=settings.auction.positions_max,
        opens_per_hour=risk.opens_per_hour_max,
        opens_per_day=risk.opens_per_day_max,
        single=risk.single_position,
        utilization=risk.planned_utilization_max,
        open_notional_usd=risk.open_notional_usd_max,
        notional_usd=lambda tier: by_tier[tier].notional_usd_max,
        leverage=lambda tier: min(risk.max_leverage, by_tier[tier].max_leverage),
    )
