"""Gives memory back to the system after the start: loading histories leaves as much freed memory behind as it keeps."""

from __future__ import annotations

import ctypes
import gc


def keep_what_was_made() -> None:
    """Whatever is alive now stays: the collector need not look through it again, which would hold the loop for a tenth of a second."""
    gc.collect()
    gc.freeze()


def give_back() -> bool:
    """Hand free pages back; False where the C library has no such call. Blocks for some milliseconds: call it off the loop."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return False
    return bool(trim(0))
