"""Where the state lies, without building all settings when nothing says otherwise: `status` must answer at once.

Only the plain case is short: no file and no variable names `data_dir`. Everything else asks the full reader.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from trading_system.config.places import BASE_FILES, DATA_DIR, ENV_FILE, PROFILE_FOLDER

_KEY: Final = "data_dir"
_PLACES: Final = (*BASE_FILES, ENV_FILE)
_LINE: Final = re.compile(r"""^\s*(?:data_dir\s*:|(?:export\s+)?TS_SYSTEM__DATA_DIR\s*=)\s*["']?([^"'#\s{}]+)""", re.MULTILINE)
_VARIABLE: Final = "TS_SYSTEM__DATA_DIR"


def find_data_dir(files: Sequence[Path] = (), profile: str | None = None, env: Mapping[str, str] | None = None) -> Path:
    """The directory `system.data_dir` names. ConfigError when the configuration that names it is refused."""
    environment = os.environ if env is None else env
    is_named = any(_KEY in name.lower() for name in environment) or any(_names_it(path) for path in _places(files, profile))
    if not is_named:
        return Path(DATA_DIR)
    from trading_system.config.load import load_settings

    return Path(load_settings(files, profile, environment).settings.system.data_dir)


def guess_data_dir(files: Sequence[Path] = (), profile: str | None = None, env: Mapping[str, str] | None = None) -> Path:
    """The directory that a refused configuration means, read line by line: a slip elsewhere in a file must not hide the state."""
    environment = os.environ if env is None else env
    if environment.get(_VARIABLE):
        return Path(environment[_VARIABLE])
    named = DATA_DIR
    in_env_file: str | None = None
    for path in _places(files, profile):
        try:
            found = _LINE.findall(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        if found and path.name == ENV_FILE:
            in_env_file = found[-1]
        elif found:
            named = found[-1]
    return Path(in_env_file or named)


def _places(files: Sequence[Path], profile: str | None) -> tuple[Path, ...]:
    """Everything that may name the directory, weakest first."""
    profiles = () if profile is None else (Path(PROFILE_FOLDER) / f"{profile}.yaml",)
    return (*map(Path, _PLACES), *profiles, *files)


def _names_it(path: Path) -> bool:
    """True when the file may set the key (a comment does not); one that cannot be read is left to the full reader, which explains it."""
    try:
        lines: Iterable[str] = path.read_text(encoding="utf-8").lower().splitlines()
    except FileNotFoundError:
        return path.suffix == ".yaml" and str(path) not in _PLACES
    except (OSError, UnicodeDecodeError):
        return True
    return any(_KEY in line.partition("#")[0] for line in lines)
