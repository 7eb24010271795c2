"""Puts the layers of configuration on top of each other and remembers where each value came from. Pure.

Order, later wins: defaults, config.yaml, safety.yaml, profile, `-c` files in their order, environment.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Union, get_args, get_origin

from pydantic import ValidationError

from trading_system.config.fields import Section
from trading_system.config.secret import MASK
from trading_system.config.settings import Settings
from trading_system.config.yaml_source import EXPANDED, KeyPath, scalar_of
from trading_system.domain.errors import ConfigError

DEFAULT: Final = "default"
PREFIX: Final = "TS_"
_DECIMAL: Final = re.compile(r"Decimal\('([^']*)'\)")
ENV_ALIASES: Final[Mapping[str, KeyPath]] = types.MappingProxyType(
    {"LOG_LEVEL": ("monitoring", "log_level"), "PORT": ("monitoring", "health_port")}
)


def section_of(annotation: Any) -> type[Section] | None:
    """The Section a field holds (also inside `X | None`), or None when it holds a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            found = section_of(part)
            if found is not None:
                return found
    return None


def _section_at(path: KeyPath) -> tuple[type[Section] | None, bool]:
    """(section class at `path`, whether it may be null); (None, True) for plain values and unknown keys."""
    section: type[Section] | None = Settings
    is_optional = False
    for name in path:
        info = section.model_fields.get(name) if section else None
        if info is None:
            return None, True
        section = section_of(info.annotation)
        is_optional = section is not None and not isinstance(info.annotation, type)
    return section, is_optional


@dataclass(slots=True)
class Layers:
    """values: nested dicts; origins: path of every leaf that some layer set → where."""

    values: dict[str, Any] = field(default_factory=lambda: Settings().model_dump())
    origins: dict[KeyPath, str] = field(default_factory=dict)

    def put(self, values: Mapping[str, Any], where: Callable[[KeyPath], str]) -> None:
        """Lay `values` on top; mappings merge, everything else replaces."""
        self._merge(self.values, values, (), where)

    def put_environment(self, env: Mapping[str, str]) -> None:
        """Lay the aliases (LOG_LEVEL, PORT) and then every `TS_SECTION__KEY` on top."""
        for name, path in ENV_ALIASES.items():
            if env.get(name):
                text = env[name].upper() if name == "LOG_LEVEL" else env[name]
                self._put_one(path, scalar_of(text, f"environment {name}"), f"environment {name}")
        for name in sorted(env):
            if name.startswith(PREFIX) and "__" in name:
                path = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
                where = f"environment {name}"
                self._put_one(path, scalar_of(env[name], where), where)

    def _put_one(self, path: KeyPath, value: Any, where: str) -> None:
        nested: Any = value
        for part in reversed(path):
            nested = {part: nested}
        self.put(nested, lambda _: where)

    def _merge(self, below: dict[str, Any], above: Mapping[str, Any], path: KeyPath, where: Callable[[KeyPath], str]) -> None:
        for key, value in above.items():
            here = (*path, key)
            section, is_optional = _section_at(here)
            if section is not None and value is None and not is_optional:
                continue  # `risk:` with every line under it commented out
            if section is not None and isinstance(value, Mapping):
                if not isinstance(below.get(key), dict):
                    below[key] = {}
                self._merge(below[key], value, here, where)
                continue
            below[key] = value
            self.origins[here] = where(here)

    def build(self) -> Settings:
        """Validate; ConfigError lists every fault with key, place, value and what would be right."""
        try:
            return Settings.model_validate(self.values)
        except ValidationError as error:
            faults = [self._explain(fault["loc"], fault["type"], fault["msg"], fault.get("input")) for fault in error.errors()]
        raise ConfigError("\n".join(faults))

    def _explain(self, loc: tuple[int | str, ...], kind: str, message: str, value: Any) -> str:
        path = tuple(str(part) for part in loc)
        key, place = ".".join(path), self.where(path)
        if kind == "extra_forbidden":
            return f"{place}: unknown key {key}{suggest(path)}"
        if kind == "missing":
            return f"{place}: {key} is missing"
        # a variable may hold what nobody should see in a terminal
        text = MASK if place.endswith(EXPANDED) else str(value)
        right = _DECIMAL.sub(r"\1", message)
        return f"{place}: {key} = {text if len(text) <= 80 else text[:77] + '...'}: {right[:1].lower()}{right[1:]}"

    def where(self, path: KeyPath) -> str:
        """Origin of a value or of the part of the configuration it is in."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        for known, origin in self.origins.items():
            if known[: len(path)] == path:
                return origin
        return DEFAULT


def leaf_paths(section: type[Section] = Settings, path: KeyPath = ()) -> Iterable[KeyPath]:
    """Every key that holds a value, in the order of the models; optional sections count as sections."""
    for name, info in section.model_fields.items():
        inner = section_of(info.annotation)
        if inner is None:
            yield (*path, name)
        else:
            yield from leaf_paths(inner, (*path, name))


def suggest(path: KeyPath) -> str:
    """`; did you mean risk.max_leverage?` or the names that exist there."""
    parent, name = path[:-1], path[-1]
    section, _ = _section_at(parent) if parent else (Settings, False)
    siblings = list(section.model_fields) if section else []
    near = difflib.get_close_matches(name, siblings, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {'.'.join((*parent, near[0]))}?"
    everywhere = {".".join(leaf): leaf[-1] for leaf in leaf_paths()}
    near_names = difflib.get_close_matches(name, sorted(set(everywhere.values())), n=1, cutoff=0.75)
    if near_names:
        return f"; did you mean {next(full for full, last in everywhere.items() if last == near_names[0])}?"
    return f"; known here: {', '.join(siblings)}" if siblings else ""
