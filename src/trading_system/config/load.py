"""The only reader of the environment and of configuration files.

`load_settings()` in a fresh clone reads config/config.yaml and config/safety.yaml when they are there and `.env.local` when it
is there; the defaults of the models suffice without any of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from dotenv import dotenv_values

from trading_system.config.layers import DEFAULT, Layers, leaf_paths
from trading_system.config.places import BASE_FILES, ENV_FILE, PROFILE_FOLDER
from trading_system.config.secret import Secret, Secrets
from trading_system.config.secret_files import find_secret, refuse_wide_mode
from trading_system.config.settings import Settings, config_hash
from trading_system.config.yaml_source import KeyPath, read_yaml
from trading_system.domain.errors import ConfigError

LOCAL_DATABASE_URL: Final = "sqlite:///./.local/app.db"
_CANDIDATES: Final = ("data", "universe", "candidate_symbols")
_TIERED_AT: Final[tuple[KeyPath, ...]] = (("data", "universe"), ("data",), ("exchange",), ())


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """Everything a start needs to know. `origins` has a place for every key (`risk.max_leverage` → `config/config.yaml:12`)."""

    settings: Settings
    origins: Mapping[str, str]
    secrets: Secrets
    is_local: bool
    """Local mode: ENV=local, or .env.local present, or venue sim."""
    confirm_live: bool
    """CONFIRM_LIVE=YES was given."""
    database_url: Secret | None
    """The given URL, or the local SQLite file in local mode, or None (production without DATABASE_URL)."""
    files: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def config_hash(self) -> str:
        return config_hash(self.settings)


def load_settings(
    files: Sequence[Path] = (),
    profile: str | None = None,
    env: Mapping[str, str] | None = None,
    *,
    root: Path = Path(),
) -> LoadedConfig:
    """Read all layers, later wins: defaults, base files, profile, `files` in order, environment.

    env: None = the process environment; `.env.local` under `root` fills what it leaves open. Raises ConfigError naming key,
    file:line, value and what would be right; a file of `files` that is missing is such an error, a missing base file is not.
    """
    environment, has_env_file = _environment(dict(os.environ) if env is None else env, root)
    layers, warnings, read = Layers(), list[str](), list[str]()
    paths = [root / name for name in BASE_FILES if (root / name).is_file()]
    if profile is not None:
        paths.append(_profile_path(profile, root))
    for path in [*paths, *files]:
        label = _label(path, root)
        document = read_yaml(_text_of(path), label, environment)
        values, notes = flatten_tiers(document.values, label)
        layers.put(values, document.where)
        warnings += notes
        read.append(label)
    layers.put_environment(environment)
    settings = layers.build()
    secrets, database_url, is_local = _private_part(environment, settings, has_env_file=has_env_file)
    return LoadedConfig(
        settings=settings,
        origins=MappingProxyType(_origins(layers)),
        secrets=replace(secrets, database_url=database_url),
        is_local=is_local,
        confirm_live=environment.get("CONFIRM_LIVE", "") == "YES",
        database_url=database_url,
        files=tuple(read),
        warnings=tuple(warnings),
    )


def secrets_and_url(env: Mapping[str, str] | None, settings: Settings, *, root: Path = Path()) -> tuple[Secrets, Secret | None, bool]:
    """(secrets, main database, local mode) for settings that did not come from files. ConfigError as of `load_settings`."""
    environment, has_env_file = _environment(dict(os.environ) if env is None else env, root)
    return _private_part(environment, settings, has_env_file=has_env_file)


def _private_part(environment: Mapping[str, str], settings: Settings, *, has_env_file: bool) -> tuple[Secrets, Secret | None, bool]:
    secrets = _secrets(environment)
    is_local = environment.get("ENV", "").lower() == "local" or has_env_file or settings.exchange.venue == "sim"
    return secrets, secrets.database_url or (Secret(LOCAL_DATABASE_URL) if is_local else None), is_local


def flatten_tiers(values: Mapping[str, Any], label: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Turn a deprecated nested `liquidity_tiers` into `data.universe.candidate_symbols`; return values and warnings. Pure."""
    for parents in _TIERED_AT:
        holder: Any = values
        for name in parents:
            holder = holder.get(name) if isinstance(holder, Mapping) else None
        if not isinstance(holder, Mapping) or "liquidity_tiers" not in holder:
            continue
        names = _names_in(holder["liquidity_tiers"])
        rest = _without(values, (*parents, "liquidity_tiers"))
        key = ".".join((*parents, "liquidity_tiers"))
        note = f"{label}: {key} is deprecated; read as {'.'.join(_CANDIDATES)}, {len(names)} names (volume and spread decide tiers)"
        return _with(rest, _CANDIDATES, names), (note,)
    return values, ()


def _names_in(tiers: Any) -> list[str]:
    groups = tiers.values() if isinstance(tiers, Mapping) else [tiers]
    names: list[str] = []
    for group in groups:
        if not isinstance(group, list):
            raise ConfigError("liquidity_tiers: each tier is a list of symbols; better: a flat data.universe.candidate_symbols")
        names += [name for name in group if name not in names]
    return names


def _without(values: Mapping[str, Any], path: KeyPath) -> dict[str, Any]:
    rest = dict(values)
    if len(path) == 1:
        del rest[path[0]]
    else:
        rest[path[0]] = _without(rest[path[0]], path[1:])
    return rest


def _with(values: Mapping[str, Any], path: KeyPath, value: Any) -> dict[str, Any]:
    result = dict(values)
    result[path[0]] = value if len(path) == 1 else _with(result.get(path[0]) or {}, path[1:], value)
    return result


def _environment(env: Mapping[str, str], root: Path) -> tuple[Mapping[str, str], bool]:
    """(environment with `.env.local` below it, whether that file exists)."""
    path = root / ENV_FILE
    if not path.is_file():
        return env, False
    found = {key: value for key, value in dotenv_values(path, interpolate=False).items() if value is not None}
    if any(found.get(name) for name in ("KRAKEN_FUTURES_API_KEY", "KRAKEN_FUTURES_API_SECRET")):
        refuse_wide_mode(path, path.stat(), f"{ENV_FILE} holds an exchange key", allowed=0o600)
    return {**found, **env}, True


def _secrets(env: Mapping[str, str]) -> Secrets:
    return Secrets(**{field.name: find_secret(field.name.upper(), env) for field in fields(Secrets)})


def _profile_path(profile: str, root: Path) -> Path:
    folder = root / PROFILE_FOLDER
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", profile) or profile not in known:
        raise ConfigError(f"no profile {profile!r} in {folder}; known: {', '.join(known) or 'none'}")
    return folder / f"{profile}.yaml"


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {type(error).__name__}; give an existing UTF-8 YAML file") from None


def _label(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _origins(layers: Layers) -> dict[str, str]:
    return {".".join(path): _origin(layers, path) for path in leaf_paths()}


def _origin(layers: Layers, path: KeyPath) -> str:
    for length in range(len(path), 0, -1):
        if path[:length] in layers.origins:
            return layers.origins[path[:length]]
    return DEFAULT
