"""Where configuration and state lie when nothing says otherwise. Imports nothing: every reader of the configuration may know it."""

from __future__ import annotations

from typing import Final

BASE_FILES: Final = ("config/config.yaml", "config/safety.yaml")
PROFILE_FOLDER: Final = "config/profiles"
ENV_FILE: Final = ".env.local"
DATA_DIR: Final = "data"
