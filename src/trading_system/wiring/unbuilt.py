"""Settings whose feature this version does not have. A value other than the default is refused: silence would be a lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trading_system.config.settings import Settings
from trading_system.domain.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """key: as written in a configuration file; value: reads it; why: what is missing, for a person."""

    key: str
    value: Callable[[Settings], object]
    why: str


UNBUILT: Final = (
    Unbuilt(
        "system.smoke_report_age_hours_max",
        lambda settings: settings.system.smoke_report_age_hours_max,
        "the smoke checks are not built yet; live entries stay off whatever is written here",
    ),
    Unbuilt(
        "auction.auction_partial_close_cooldown_seconds",
        lambda settings: settings.auction.auction_partial_close_cooldown_seconds,
        "the auction closes whole positions only; closing in part is not built yet",
    ),
)


def refuse_unbuilt(settings: Settings) -> None:
    """ConfigError when a setting without a feature was changed."""
    for one in UNBUILT:
        default, actual = one.value(Settings()), one.value(settings)
        if actual != default:
            raise ConfigError(f"{one.key} = {actual} has no effect: {one.why}. Leave it at its default {default}")
