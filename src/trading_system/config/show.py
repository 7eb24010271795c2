"""`show-config`: every value with its origin. Secrets are shown as given or not given, never their value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from trading_system.config.fields import Section, plain
from trading_system.config.layers import leaf_paths
from trading_system.config.load import LoadedConfig
from trading_system.config.secret import MASK, Secret, Secrets


def render_settings(loaded: LoadedConfig) -> str:
    """A text block: `risk.max_leverage = 7    [default]` for every key, then secrets, warnings, files and the config hash."""
    rows = list(_rows(loaded))
    width = min(max(len(text) for text, _ in rows), 70)
    lines = [f"{text:<{width}}  [{origin}]" for text, origin in rows]
    lines += ["", "Secrets"]
    lines += [f"  {name} = {state}" for name, state in secret_states(loaded.secrets).items()]
    lines += [f"WARNING {warning}" for warning in loaded.warnings]
    lines += ["", f"files: {', '.join(loaded.files) or 'none'}", f"local mode: {'yes' if loaded.is_local else 'no'}"]
    lines.append(f"config hash: {loaded.config_hash}")
    return "\n".join(lines)


def settings_as_json(loaded: LoadedConfig) -> Mapping[str, Any]:
    """For `show-config --json`: {key: {value, origin}}, secrets as states."""
    return {
        "settings": {
            ".".join(path): {"value": _jsonable(value), "origin": loaded.origins.get(".".join(path), "default")}
            for path, value in _leaves(loaded)
        },
        "secrets": dict(secret_states(loaded.secrets)),
        "warnings": list(loaded.warnings),
        "files": list(loaded.files),
        "is_local": loaded.is_local,
        "config_hash": loaded.config_hash,
    }


def secret_states(secrets: Secrets) -> Mapping[str, str]:
    """Name → `***` when given, `not given` otherwise."""
    states: dict[str, str] = {}
    for field in fields(secrets):
        value: Secret | None = getattr(secrets, field.name)
        states[field.name.upper()] = MASK if value else "not given"
    return states


def _rows(loaded: LoadedConfig) -> Iterator[tuple[str, str]]:
    for path, value in _leaves(loaded):
        key = ".".join(path)
        yield f"{key} = {_shown(value)}", loaded.origins.get(key, "default")


def _leaves(loaded: LoadedConfig) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key with its value; a section that is null shows once."""
    seen: set[tuple[str, ...]] = set()
    for path in leaf_paths():
        found: Any = loaded.settings
        for depth, name in enumerate(path, start=1):
            found = getattr(found, name)
            if found is None:
                path = path[:depth]
                break
        if path not in seen:
            seen.add(path)
            yield path, found


def _shown(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value)
        case tuple():
            return "[" + ", ".join(_shown(item) for item in value) + "]"
        case Section():
            return "{" + ", ".join(f"{name}: {_shown(getattr(value, name))}" for name in type(value).model_fields) + "}"
        case _:
            return str(value)


def _jsonable(value: Any) -> Any:
    match value:
        case Decimal():
            return plain(value)
        case tuple():
            return [_jsonable(item) for item in value]
        case Section():
            return value.model_dump(mode="json")
        case _:
            return value
