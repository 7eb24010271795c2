"""Named tuples that are made by the million."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


def maker_of(kind: type[T]) -> Callable[[tuple[Any, ...]], T]:
    """What makes a NamedTuple of this kind from the tuple of all its fields, in two thirds of the time of `kind(...)`.

    Nothing counts or names the fields: for places that make one at every bar.
    """
    return partial(tuple.__new__, kind)  # type: ignore[type-var]
