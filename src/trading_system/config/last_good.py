"""The last configuration a start succeeded with, as text the journal keeps, and back.

For the one case in which a refused configuration must not keep the daemon down: positions are open. Secrets are no settings
and are never in it; they come from where they always come.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from trading_system.config.fields import Section
from trading_system.config.layers import leaf_paths, section_of
from trading_system.config.load import LoadedConfig, secrets_and_url
from trading_system.config.settings import Settings
from trading_system.domain.errors import ConfigError

LAST_GOOD_KEY: Final = "config.last_good"
"""The note in the journal."""
ORIGIN: Final = "the journal's last good configuration"


def encode_last_good(settings: Settings, secrets: Sequence[str] = ()) -> str | None:
    """All values as JSON, or None when one of `secrets` stands in a plain setting: that is never written down."""
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return None if any(secret in text for secret in secrets) else text


def decode_last_good(text: str) -> Settings:
    """The settings again. A key this program no longer knows is left out, one it has learnt since gets its default.

    ConfigError when a value is not valid any more.
    """
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ConfigError(f"{ORIGIN} is no object")
        return Settings.model_validate(_known(values))
    except (ValueError, ValidationError) as error:
        raise ConfigError(f"{ORIGIN} is not valid for this program: {error}") from error


def _known(values: Mapping[str, Any], section: type[Section] = Settings) -> dict[str, Any]:
    """`values` without the keys that no section has."""
    kept: dict[str, Any] = {}
    for name, info in section.model_fields.items():
        if name in values:
            inner, value = section_of(info.annotation), values[name]
            kept[name] = _known(value, inner) if inner is not None and isinstance(value, Mapping) else value
    return kept


def load_last_good(text: str, refusal: str, env: Mapping[str, str] | None = None) -> LoadedConfig:
    """What a start needs, with the kept values and today's secrets. `refusal`: why the present configuration is not used."""
    settings = decode_last_good(text)
    secrets, database_url, is_local = secrets_and_url(env, settings)
    return LoadedConfig(
        settings=settings,
        origins={".".join(path): ORIGIN for path in leaf_paths()},
        secrets=replace(secrets, database_url=database_url),
        is_local=is_local,
        confirm_live=False,
        database_url=database_url,
        files=(ORIGIN,),
        warnings=(f"the present configuration is refused: {refusal}",),
    )
