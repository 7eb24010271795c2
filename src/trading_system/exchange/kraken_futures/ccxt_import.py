"""Imports the one ccxt class we use without the hundred others: 60 MB of memory and a second of CPU less at every start.

ccxt's packages import every exchange there is. While ours is imported they are stood in for by empty packages that know the base
classes; afterwards those are taken away, so that whoever imports ccxt later gets the whole of it, with the same base classes.
Where ccxt is laid out otherwise than here expected, it is imported as a whole.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

_PACKAGES: Final = ("ccxt", "ccxt.async_support")


def import_krakenfutures() -> Any:
    """The class `ccxt.async_support.krakenfutures.krakenfutures`; ImportError when ccxt is not there."""
    if _PACKAGES[0] in sys.modules:
        return importlib.import_module("ccxt.async_support.krakenfutures").krakenfutures
    found = importlib.util.find_spec("ccxt")
    if found is None or not found.submodule_search_locations:
        raise ImportError("ccxt is not installed")
    root = Path(next(iter(found.submodule_search_locations)))
    try:
        return _import_alone(root)
    except (ImportError, AttributeError):
        _take_away(everything=True)
        return importlib.import_module("ccxt.async_support.krakenfutures").krakenfutures
    finally:
        _take_away(everything=False)


def _import_alone(root: Path) -> Any:
    for name, folder in zip(_PACKAGES, (root, root / "async_support"), strict=True):
        empty = ModuleType(name)
        empty.__path__ = [str(folder)]
        sys.modules[name] = empty
    errors = importlib.import_module("ccxt.base.errors")
    stand_in = sys.modules["ccxt"]
    stand_in.__dict__.update({name: value for name, value in vars(errors).items() if not name.startswith("_")})
    # ccxt's own classes ask the package for it
    stand_in.__dict__["Exchange"] = importlib.import_module("ccxt.base.exchange").Exchange
    return importlib.import_module("ccxt.async_support.krakenfutures").krakenfutures


def _take_away(*, everything: bool) -> None:
    """The stand-ins; `everything`: all that was imported in between as well."""
    for name in [name for name in sys.modules if name in _PACKAGES or (everything and name.startswith("ccxt."))]:
        module = sys.modules[name]
        if everything or getattr(module, "__file__", None) is None:
            del sys.modules[name]
