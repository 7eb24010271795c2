"""Where the state lies, without building all settings when nothing says otherwise: `status` must answer at once.

Only the plain case is short: no file and no variable names `data_dir`. Everything else asks the full reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from trading_system.config.places import BASE_FILES, DATA_DIR, ENV_FILE, PROFILE_FOLDER

_KEY: Final = "data_dir"
_PLACES: Final = (*BASE_FILES, ENV_FILE)


def find_data_dir(files: Sequence[Path] = (), profile: str | None = None, env: Mapping[str, str] | None = None) -> Path:
    """The directory `system.data_dir` names. ConfigError when the configuration that names it is refused."""
    environment = os.environ if env is None else env
    profiles = () if profile is None else (Path(PROFILE_FOLDER) / f"{profile}.yaml",)
    is_named = any(_KEY in name.lower() for name in environment) or any(
        _names_it(path) for path in (*map(Path, _PLACES), *profiles, *files)
    )
    if not is_named:
        return Path(DATA_DIR)
    from trading_system.config.load import load_settings

    return Path(load_settings(files, profile, environment).settings.system.data_dir)


def _names_it(path: Path) -> bool:
    """True when the file may set the key (a comment does not); one that cannot be read is left to the full reader, which explains it."""
    try:
        lines: Iterable[str] = path.read_text(encoding="utf-8").lower().splitlines()
    except FileNotFoundError:
        return path.suffix == ".yaml" and str(path) not in _PLACES
    except (OSError, UnicodeDecodeError):
        return True
    return any(_KEY in line.partition("#")[0] for line in lines)
