"""Reads one YAML text into plain values, and remembers the line of every key.

The traps it avoids: a key given twice (the parser silently keeps the last), 0.1 as a binary float, `.nan`, a file that
unfolds into gigabytes through aliases, and errors that do not say where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, TypeAlias

import yaml

from trading_system.domain.errors import ConfigError

KeyPath: TypeAlias = tuple[str, ...]

SIZE_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 12
NODES_MAX: Final = 20_000
_QUOTED: Final = ("'", '"', "|", ">")
EXPANDED: Final = "(from a ${VARIABLE})"
_VARIABLE: Final = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """values: nested dicts, lists and scalars; lines: key path → line (1-based); expanded: paths that held a `${VAR}`."""

    source: str
    values: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    expanded: frozenset[KeyPath] = frozenset()

    def where(self, path: KeyPath) -> str:
        """`file:line` of a key, or of its nearest parent; says so when the value came out of a variable."""
        mark = f" {EXPANDED}" if any(known[: len(path)] == path for known in self.expanded) else ""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.source}:{self.lines[path[:length]]}{mark}"
        return self.source


@dataclass(slots=True)
class _Reader:
    source: str
    env: Mapping[str, str]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    expanded: set[KeyPath] = field(default_factory=set)
    nodes: int = 0

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        self.nodes += 1
        if self.nodes > NODES_MAX or len(path) > DEPTH_MAX:
            raise ConfigError(f"{self._at(node)}: nested too deep or too large (aliases?)")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, str(index))) for index, child in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                raise ConfigError(f"{self._at(key_node)}: keys are plain words here")
            key = str(key_node.value)
            if key in result:
                raise ConfigError(f"{self._at(key_node)}: {'.'.join((*path, key))} is given twice in this file")
            here = (*path, key)
            self.lines[here] = key_node.start_mark.line + 1
            result[key] = self.read(value_node, here)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        text, tag = node.value, node.tag
        if "${" in text:
            text = expand(text, self.env, self._at(node))
            self.expanded.add(path)
            # an unquoted ${PORT} is meant as the number it expands to
            if node.style not in _QUOTED:
                return scalar_of(text, self._at(node))
        return _typed(text, tag, self._at(node))

    def _at(self, node: yaml.Node) -> str:
        return f"{self.source}:{node.start_mark.line + 1}"


def read_yaml(text: str, source: str, env: Mapping[str, str]) -> YamlDocument:
    """Parse `text`; `source` names it in errors. An empty file is an empty mapping. Raises ConfigError with file:line."""
    if len(text) > SIZE_MAX:
        raise ConfigError(f"{source}: larger than {SIZE_MAX // 1024} KiB, which no configuration of this program is")
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{source}:{line}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not YAML: {error}") from None
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == "tag:yaml.org,2002:null"):
        return YamlDocument(source, {}, {})
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{source}:1: the top level must be `section:` lines")
    reader = _Reader(source, env)
    values = reader.read(root, ())
    return YamlDocument(source, values, reader.lines, frozenset(reader.expanded))


def expand(text: str, env: Mapping[str, str], where: str) -> str:
    """Replace `${NAME}` and `${NAME:-default}`; ConfigError when a name without default is not set."""

    def value(match: re.Match[str]) -> str:
        found = env.get(match["name"], match["default"])
        if found is None:
            raise ConfigError(f"{where}: ${{{match['name']}}} is not set in the environment; set it or write ${{{match['name']}:-default}}")
        return found

    return _VARIABLE.sub(value, text)


def scalar_of(text: str, where: str) -> Any:
    """A value as YAML would read it unquoted: `5` → int, `0.5` → Decimal, `true` → bool, `[a, b]` → list, else text."""
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return text
    if node is None:
        return ""
    return _Reader(where, {}).read(node, ()) if not isinstance(node, yaml.ScalarNode) else _typed(node.value, node.tag, where)


def _typed(text: str, tag: str, where: str) -> Any:
    match tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() in ("true", "yes", "on")
        case "int":
            return _int_of(text, where)
        case "float":
            return _decimal_of(text, where)
        case "str" | "timestamp":
            return text
        case _:
            raise ConfigError(f"{where}: the tag {tag} is not allowed")


def _int_of(text: str, where: str) -> int:
    # YAML 1.1 also reads 0777 as octal and 1:30 as 90; nobody who writes a limit means that
    digits = text.replace("_", "").lstrip("+")
    if not re.fullmatch(r"-?(0|[1-9]\d*)", digits):
        raise ConfigError(f"{where}: write the whole number {text!r} in plain decimal digits")
    return int(digits)


def _decimal_of(text: str, where: str) -> Decimal:
    digits = text.replace("_", "")
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", digits):
        raise ConfigError(f"{where}: {text!r} is not a finite number")
    return Decimal(digits)
