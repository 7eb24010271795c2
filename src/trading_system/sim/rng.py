"""Seeded randomness of the simulator: the only module here that may touch `random`."""

from __future__ import annotations

import random
from typing import TypeAlias

SeededRandom: TypeAlias = random.Random


def seeded(*parts: object) -> SeededRandom:
    """A stream that is a function of `parts` only (their text), the same in every process and version of the hash seed."""
    return random.Random(":".join(str(part) for part in parts))
