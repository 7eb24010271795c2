"""Finds one secret: systemd credential, then a file named by `<NAME>_FILE`, then the environment.

A file others can read is refused: a key that was readable once counts as lost, and a start that says so is cheaper.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from trading_system.config.secret import Secret
from trading_system.domain.errors import ConfigError

SIZE_MAX: Final = 16 * 1024


def find_secret(name: str, env: Mapping[str, str]) -> Secret | None:
    """The secret `name` (environment spelling), or None when it is given nowhere or empty. Raises ConfigError on unsafe files."""
    directory = env.get("CREDENTIALS_DIRECTORY")
    if directory:
        credential = Path(directory) / name.lower()
        if credential.is_file():
            return _read(credential, f"credential {name.lower()}", is_systemd=True)
    file_name = env.get(f"{name}_FILE")
    if file_name:
        return _read(Path(file_name), f"{name}_FILE", is_systemd=False)
    value = env.get(name, "").strip()
    return Secret(value) if value else None


def _read(path: Path, label: str, *, is_systemd: bool) -> Secret | None:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigError(f"{label}: {path} is not a regular file")
        # systemd guards its credentials directory itself and shows the group bits of an access list as the file's
        refuse_wide_mode(path, facts, label, allowed=0o440 if is_systemd else 0o600)
        if not is_systemd:
            _refuse_open_directory(path, label)
        if facts.st_size > SIZE_MAX:
            raise ConfigError(f"{label}: {path} is larger than {SIZE_MAX // 1024} KiB")
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{label}: cannot read {path}: {type(error).__name__}") from None
    return Secret(value) if value else None


def refuse_wide_mode(path: Path, facts: os.stat_result, label: str, *, allowed: int) -> None:
    """ConfigError unless the mode is within `allowed` and the file belongs to us or to root."""
    mode = stat.S_IMODE(facts.st_mode)
    if mode & ~allowed & 0o077:
        raise ConfigError(f"{label}: {path} has mode {mode:04o}, others may read or change it; run: chmod 600 {path}")
    if facts.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{label}: {path} belongs to user id {facts.st_uid}, not to this service's user")


def _refuse_open_directory(path: Path, label: str) -> None:
    parent = path.resolve().parent
    mode = stat.S_IMODE(parent.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(f"{label}: the directory {parent} has mode {mode:04o}; a directory of secrets is 0700; run: chmod 700 {parent}")
