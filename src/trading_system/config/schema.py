"""The JSON schema of config.yaml, for editors: completion, descriptions, and a red line under a wrong key."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading_system.config.fields import plain
from trading_system.config.settings import Settings


def schema_text() -> str:
    """The schema as it is written to config/config.schema.json. Sections may be null: a heading with every line commented out."""
    schema = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "TradingSystem configuration"
    # files are partial: a layer names only what it changes
    for definition in schema.get("$defs", {}).values():
        definition.pop("required", None)
    schema["properties"] = {name: {"anyOf": [part, {"type": "null"}]} for name, part in schema["properties"].items()}
    return json.dumps(_plain(schema), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write_schema(path: Path) -> None:
    """Write the schema file."""
    path.write_text(schema_text(), encoding="utf-8")


def _plain(value: Any) -> Any:
    """Defaults as JSON numbers; the long form of pydantic's section defaults is left out, each key has its own."""
    if isinstance(value, Decimal):
        text = plain(value)
        return float(text) if "." in text else int(text)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not (key == "default" and isinstance(item, dict))}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
