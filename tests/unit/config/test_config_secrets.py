"""Secrets: where they may come from, and that they never show."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from trading_system.config.load import load_settings
from trading_system.config.secret import Secret, Secrets
from trading_system.config.secret_files import find_secret
from trading_system.config.show import render_settings, settings_as_json
from trading_system.domain.errors import ConfigError

NAME = "KRAKEN_FUTURES_API_SECRET"


def a_file(directory: Path, text: str = "from-file", *, mode: int = 0o600, directory_mode: int = 0o700) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / NAME.lower()
    path.write_text(text + "\n")
    path.chmod(mode)
    directory.chmod(directory_mode)
    return path


@pytest.mark.parametrize("show", [repr, str, lambda secret: f"{secret}", lambda secret: f"{secret!r:>30}"])
def test_a_secret_does_not_show_in_any_text_form(show: object) -> None:
    assert "canary" not in show(Secret("canary"))  # type: ignore[operator]
    assert "canary" not in repr(Secrets(kraken_futures_api_key=Secret("canary")))


def test_a_secret_is_not_pickled_or_deep_copied() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("canary"))
    with pytest.raises(TypeError):
        copy.deepcopy({"held": Secret("canary")})


def test_secrets_compare_by_value_but_do_not_hash_by_it() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert hash(Secret("a")) == hash(Secret("b"))


def test_a_credential_comes_before_a_file_and_a_file_before_the_environment(tmp_path: Path) -> None:
    a_file(tmp_path / "credentials", "from-credential", mode=0o400)
    file = a_file(tmp_path / "files")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"), f"{NAME}_FILE": str(file), NAME: "from-environment"}

    assert find_secret(NAME, env) == Secret("from-credential")
    del env["CREDENTIALS_DIRECTORY"]
    assert find_secret(NAME, env) == Secret("from-file")
    del env[f"{NAME}_FILE"]
    assert find_secret(NAME, env) == Secret("from-environment")
    del env[NAME]
    assert find_secret(NAME, env) is None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o777])
def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = a_file(tmp_path / "files", mode=mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        find_secret(NAME, {f"{NAME}_FILE": str(file)})


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_secret_file_in_an_open_directory_is_refused(tmp_path: Path, mode: int) -> None:
    file = a_file(tmp_path / "files", directory_mode=mode)

    with pytest.raises(ConfigError, match="chmod 700"):
        find_secret(NAME, {f"{NAME}_FILE": str(file)})


def test_a_credential_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    a_file(tmp_path / "credentials", mode=0o444)

    with pytest.raises(ConfigError, match="mode 0444"):
        find_secret(NAME, {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})


@pytest.mark.parametrize("target", ["nowhere", "."])
def test_a_secret_file_that_is_missing_or_no_file_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(ConfigError, match=f"{NAME}_FILE"):
        find_secret(NAME, {f"{NAME}_FILE": str(tmp_path / target)})


def test_an_empty_secret_counts_as_not_given(tmp_path: Path) -> None:
    file = a_file(tmp_path / "files", "")

    assert find_secret(NAME, {f"{NAME}_FILE": str(file)}) is None
    assert find_secret(NAME, {NAME: "  "}) is None


def test_an_env_file_with_a_key_must_be_private(tmp_path: Path) -> None:
    path = tmp_path / ".env.local"
    path.write_text("KRAKEN_FUTURES_API_KEY=abc\n")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_settings(env={}, root=tmp_path)

    path.chmod(0o600)
    assert load_settings(env={}, root=tmp_path).secrets.kraken_futures_api_key == Secret("abc")


def test_no_secret_appears_when_the_configuration_is_shown(tmp_path: Path) -> None:
    env = {
        "KRAKEN_FUTURES_API_KEY": "canary-key",
        "KRAKEN_FUTURES_API_SECRET": "canary-secret",
        "DATABASE_URL": "postgresql://user:canary-pass@host/db",
        "ALERT_WEBHOOK_URL": "https://api.telegram.org/bot123456:canary-token-value/sendMessage",
        "ALERT_CHAT_ID": "canary-1234567",
    }
    loaded = load_settings(env=env, root=tmp_path)

    for text in (render_settings(loaded), repr(loaded), str(settings_as_json(loaded))):
        assert "canary" not in text
    assert "KRAKEN_FUTURES_API_KEY = ***" in render_settings(loaded)
    assert "SLACK_WEBHOOK_URL = not given" in render_settings(loaded)


def test_the_texts_to_mask_include_the_secret_parts_of_addresses() -> None:
    secrets = Secrets(
        database_url=Secret("postgresql://user:p%40ssword@host/db"),
        alert_webhook_url=Secret("https://api.telegram.org/bot123456:AAH-token-of-the-bot/sendMessage"),
        kraken_futures_api_key=Secret("key-1234"),
    )

    assert {"key-1234", "p%40ssword", "p@ssword", "123456:AAH-token-of-the-bot"} <= set(secrets.values())


def test_the_local_sqlite_address_is_no_text_to_mask() -> None:
    assert Secrets(database_url=Secret("sqlite:///./.local/app.db")).values() == ()
