"""The configuration kept to fall back on: text and back, older programs' keys, no secrets."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from trading_system.config.data_dir import guess_data_dir
from trading_system.config.last_good import decode_last_good, encode_last_good, load_last_good
from trading_system.config.settings import Settings, config_hash
from trading_system.domain.errors import ConfigError


def odd_settings() -> Settings:
    values = {"risk": {"max_leverage": 3, "risk_per_trade": Decimal("0.005")}, "data": {"universe": {"candidate_symbols": ["BTC/USD"]}}}
    return Settings.model_validate(values)


def test_every_value_comes_back_as_it_was() -> None:
    text = encode_last_good(odd_settings())
    assert text is not None

    assert decode_last_good(text) == odd_settings()
    assert config_hash(decode_last_good(text)) == config_hash(odd_settings())


def test_a_key_that_is_gone_is_left_out_and_a_new_one_gets_its_default() -> None:
    values = json.loads(encode_last_good(odd_settings()) or "")
    values["risk"]["gone_since"] = 1
    values["no_such_section"] = {"a": 1}
    del values["risk"]["max_open_risk"]

    assert decode_last_good(json.dumps(values)) == odd_settings()


def test_a_value_that_is_not_valid_any_more_is_refused_by_name() -> None:
    values = json.loads(encode_last_good(odd_settings()) or "")
    values["risk"]["max_leverage"] = -1

    with pytest.raises(ConfigError, match="max_leverage"):
        decode_last_good(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        decode_last_good(text)


def test_a_secret_in_a_plain_setting_is_never_written_down() -> None:
    settings = Settings.model_validate({"exchange": {"base_url": "https://user:canary-7731@example.org"}})

    assert encode_last_good(settings, ("canary-7731",)) is None


def test_secrets_come_from_today_and_the_refusal_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = encode_last_good(odd_settings()) or ""

    loaded = load_last_good(text, "unknown key riks", {"KRAKEN_FUTURES_API_KEY": "key-of-today", "DATABASE_URL": "postgresql://x/y"})

    assert loaded.settings == odd_settings()
    assert loaded.secrets.kraken_futures_api_key is not None
    assert loaded.secrets.kraken_futures_api_key.reveal() == "key-of-today"
    assert "riks" in loaded.warnings[0]
    assert not loaded.confirm_live


@pytest.mark.parametrize(
    ("files", "env", "expected"),
    [
        ({}, {}, "data"),
        ({"config/config.yaml": "system:\n  data_dir: elsewhere  # note\n  mode: [\n"}, {}, "elsewhere"),
        ({"config/config.yaml": "system: {mode: paper}\n  #data_dir: data2\n"}, {}, "data"),
        ({"config/config.yaml": "system:\n  data_dir: a\n", ".env.local": "TS_SYSTEM__DATA_DIR=b\n"}, {}, "b"),
        ({"config/config.yaml": "system:\n  data_dir: a\n"}, {"TS_SYSTEM__DATA_DIR": "c"}, "c"),
    ],
)
def test_the_state_is_found_whatever_else_is_wrong_in_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], env: dict[str, str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert guess_data_dir(env=env) == Path(expected)
