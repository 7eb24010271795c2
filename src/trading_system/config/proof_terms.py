"""The small language of the coherence proof: terms with a name and a value, and rules between two terms. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TypeAlias, assert_never

from trading_system.config.fields import Section, plain
from trading_system.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Term:
    """text: `safety.positions_halt` or a formula of such names; value: what it comes to."""

    text: str
    value: Decimal

    def __str__(self) -> str:
        return f"{self.text} {shown(self.value)}"


Measure: TypeAlias = Callable[[Settings], Term]


class Relation(Enum):
    BELOW = "<"
    AT_MOST = "<="
    EQUALS = "=="


@dataclass(frozen=True, slots=True)
class Rule:
    """`left relation right`. `otherwise` says in words what happens when it does not hold; {left} and {right} are the values."""

    name: str
    left: Measure
    relation: Relation
    right: Measure
    otherwise: str


@dataclass(frozen=True, slots=True)
class Check:
    """One rule with numbers. slack: right - left, in the unit of the keys; counter_example is empty when it holds."""

    name: str
    formula: str
    slack: Decimal
    holds: bool
    counter_example: str = ""


def check(rule: Rule, settings: Settings) -> Check:
    """Evaluate a rule."""
    left, right = rule.left(settings), rule.right(settings)
    match rule.relation:
        case Relation.BELOW:
            holds = left.value < right.value
        case Relation.AT_MOST:
            holds = left.value <= right.value
        case Relation.EQUALS:
            holds = left.value == right.value
        case _:
            assert_never(rule.relation)
    words = "" if holds else rule.otherwise.format(left=shown(left.value), right=shown(right.value))
    return Check(rule.name, f"{left} {rule.relation.value} {right}", right.value - left.value, holds, words)


def shown(value: Decimal) -> str:
    """At most six decimals, no trailing zeros."""
    return plain(round(value, 6))


def key(path: str) -> Measure:
    """The value of a configuration key."""

    def measure(settings: Settings) -> Term:
        return Term(path, value_at(settings, path))

    return measure


def value_at(settings: Settings, path: str) -> Decimal:
    """The number at a dotted key; TypeError when it is not a number (a slip in the rules, found by their test)."""
    found: object = settings
    for name in path.split("."):
        assert isinstance(found, Section), path
        found = getattr(found, name)
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        raise TypeError(f"{path} is not a number")
    return Decimal(found)


def number(value: str | int | Decimal, label: str = "constant") -> Measure:
    """A constant, or a value that was looked up already."""

    def measure(_: Settings) -> Term:
        return Term(label, Decimal(value))

    return measure


def times(first: Measure, second: Measure) -> Measure:
    def measure(settings: Settings) -> Term:
        a, b = first(settings), second(settings)
        return Term(f"{a.text} x {b.text}", a.value * b.value)

    return measure


def plus(first: Measure, second: Measure) -> Measure:
    def measure(settings: Settings) -> Term:
        a, b = first(settings), second(settings)
        return Term(f"{a.text} + {b.text}", a.value + b.value)

    return measure


def formula(text: str, compute: Callable[[Settings], Decimal]) -> Measure:
    """Anything else, named in words."""

    def measure(settings: Settings) -> Term:
        return Term(text, compute(settings))

    return measure
