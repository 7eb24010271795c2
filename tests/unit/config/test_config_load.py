"""Layers of configuration: later wins, every value knows its origin, every fault says where and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from trading_system.config.load import LOCAL_DATABASE_URL, LoadedConfig, load_settings
from trading_system.config.settings import Settings, config_hash
from trading_system.domain.errors import ConfigError

D = Decimal


def a_root(tmp_path: Path, **files: str) -> Path:
    """A checkout with the given files; `__` in a name is a slash, `_yaml` the ending."""
    for name, text in files.items():
        path = tmp_path / (name.replace("__", "/").removesuffix("_yaml") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def load(root: Path, *files: Path, profile: str | None = None, env: Mapping[str, str] | None = None) -> LoadedConfig:
    return load_settings(files, profile, env or {}, root=root)


def refusal(root: Path, *files: Path, profile: str | None = None, env: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(root, *files, profile=profile, env=env)
    return str(caught.value)


def test_without_any_file_the_defaults_of_the_models_apply(tmp_path: Path) -> None:
    loaded = load(tmp_path)

    assert loaded.settings == Settings()
    assert loaded.files == ()
    assert set(loaded.origins.values()) == {"default"}


def test_each_layer_overrides_the_one_before_and_leaves_its_origin(tmp_path: Path) -> None:
    root = a_root(
        tmp_path,
        config__config_yaml="risk:\n  max_leverage: 6\n  risk_per_trade: 0.009\n  max_open_risk: 0.03\n  opens_per_day_max: 9\n",
        config__safety_yaml="safety:\n  positions_halt: 12\n",
        config__profiles__launch_yaml="risk:\n  risk_per_trade: 0.008\n  max_open_risk: 0.029\n  opens_per_day_max: 8\n",
        extra_yaml="risk:\n  max_open_risk: 0.028\n  opens_per_day_max: 7\n",
    )

    loaded = load(root, root / "extra.yaml", profile="launch", env={"TS_RISK__OPENS_PER_DAY_MAX": "6"})

    risk = loaded.settings.risk
    assert (risk.max_leverage, risk.risk_per_trade, risk.max_open_risk, risk.opens_per_day_max) == (D("6"), D("0.008"), D("0.028"), 6)
    assert loaded.settings.safety.positions_halt == 12
    assert loaded.origins["risk.max_leverage"] == "config/config.yaml:2"
    assert loaded.origins["risk.risk_per_trade"] == "config/profiles/launch.yaml:2"
    assert loaded.origins["risk.max_open_risk"] == "extra.yaml:2"
    assert loaded.origins["risk.opens_per_day_max"] == "environment TS_RISK__OPENS_PER_DAY_MAX"
    assert loaded.origins["risk.single_position"] == "default"


def test_the_later_of_two_given_files_wins(tmp_path: Path) -> None:
    root = a_root(tmp_path, one_yaml="sim:\n  seed: 1\n", two_yaml="sim:\n  seed: 2\n")

    assert load(root, root / "one.yaml", root / "two.yaml").settings.sim.seed == 2
    assert load(root, root / "two.yaml", root / "one.yaml").settings.sim.seed == 1


def test_part_of_a_nested_section_leaves_its_siblings_at_their_defaults(tmp_path: Path) -> None:
    root = a_root(tmp_path, config__config_yaml="risk:\n  tiers:\n    a: {max_leverage: 5}\n")

    tier = load(root).settings.risk.tiers.a

    assert (tier.max_leverage, tier.notional_usd_max) == (D("5"), D("100000"))


def test_an_optional_section_can_be_given_and_taken_away_again(tmp_path: Path) -> None:
    root = a_root(
        tmp_path,
        config__config_yaml="risk:\n  position_notional: {equity_share: 0.05, floor_usd: 25}\n",
        off_yaml="risk:\n  position_notional: null\n",
    )

    given = load(root).settings.risk.position_notional
    assert given is not None
    assert (given.equity_share, given.floor_usd) == (D("0.05"), D("25"))
    assert load(root, root / "off.yaml").settings.risk.position_notional is None


def test_a_section_whose_lines_are_all_commented_out_is_no_change(tmp_path: Path) -> None:
    root = a_root(tmp_path, config__config_yaml="risk:\n  #max_leverage: 7\nsystem:\n")

    assert load(root).settings == Settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("risk:\n  max_levrage: 5\n", "config/config.yaml:2: unknown key risk.max_levrage; did you mean risk.max_leverage?"),
        ("risks:\n  max_leverage: 5\n", "config/config.yaml:1: unknown key risks; did you mean risk?"),
        ("system:\n  margin_utilization_halt: 0.9\n", "did you mean safety.margin_utilization_halt?"),
        ("risk:\n  risk_per_trade: 2\n", "config/config.yaml:2: risk.risk_per_trade = 2: input should be less than or equal to 0.05"),
        ("risk:\n  max_leverage: yes\n", "config/config.yaml:2: risk.max_leverage = True"),
        ("system:\n  read_only: 1\n", "config/config.yaml:2: system.read_only = 1"),
        ('auction:\n  positions_max: "8"\n', "config/config.yaml:2: auction.positions_max = 8"),
        ("auction:\n  positions_max: 8.5\n", "config/config.yaml:2: auction.positions_max = 8.5"),
        ("risk:\n  max_leverage: .nan\n", "config/config.yaml:2: '.nan' is not a finite number"),
        ("risk:\n  max_leverage: .inf\n", "config/config.yaml:2: '.inf' is not a finite number"),
        ("system:\n  mode: demo\n", "config/config.yaml:2: system.mode = demo: input should be 'paper' or 'live'"),
        ("risk:\n  max_leverage: 5\n  max_leverage: 6\n", "config/config.yaml:3: risk.max_leverage is given twice in this file"),
        ("risk: [1]\n", "config/config.yaml:1: risk = [1]"),
        ("- risk\n", "config/config.yaml:1: the top level must be `section:` lines"),
        ("risk:\n  max_leverage: 0x10\n", "config/config.yaml:2: write the whole number '0x10' in plain decimal digits"),
        ("risk: {max_leverage: 5\n", "config/config.yaml:"),
        ("risk:\n  max_leverage: !!python/object:os.system x\n", "config/config.yaml:2: the tag"),
        ("multi_tp:\n  trailing_steps: [{from_r: 0, atr_mult: 2}]\n", "multi_tp.trailing_steps.0"),
    ],
)
def test_a_fault_names_file_line_key_value_and_what_would_be_right(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(a_root(tmp_path, config__config_yaml=text))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = refusal(a_root(tmp_path, config__config_yaml="risk:\n  max_levrage: 5\n  risk_per_trade: 2\nfoo: 1\n"))

    assert len(text.splitlines()) == 3


def test_an_unknown_key_in_the_environment_is_refused_by_its_name(tmp_path: Path) -> None:
    assert refusal(tmp_path, env={"TS_RISK__MAX_LEVRAGE": "5"}) == (
        "environment TS_RISK__MAX_LEVRAGE: unknown key risk.max_levrage; did you mean risk.max_leverage?"
    )


def test_environment_values_are_read_as_yaml_would_read_them(tmp_path: Path) -> None:
    env = {
        "TS_SYSTEM__READ_ONLY": "true",
        "TS_DATA__UNIVERSE__BLOCKLIST": "[DOGE, SHIB]",
        "TS_EXECUTION__SLIPPAGE_BPS_MAX": "null",
        "TS_RISK__RISK_PER_TRADE": "0.005",
        "PORT": "9090",
        "LOG_LEVEL": "debug",
        "TS_MARKET_DATA": "/somewhere",
    }

    settings = load(tmp_path, env=env).settings

    assert settings.system.read_only is True
    assert settings.data.universe.blocklist == ("DOGE", "SHIB")
    assert settings.execution.slippage_bps_max is None
    assert settings.risk.risk_per_trade == D("0.005")
    assert (settings.monitoring.health_port, settings.monitoring.log_level) == (9090, "DEBUG")


def test_decimals_are_exact_whatever_their_spelling(tmp_path: Path) -> None:
    root = a_root(
        tmp_path, config__config_yaml='risk:\n  max_open_risk: 0.0300000000000000001\n  aggregate: "1.10"\n  single_position: 2.5e-1\n'
    )

    risk = load(root).settings.risk

    assert (risk.max_open_risk, risk.aggregate, risk.single_position) == (D("0.0300000000000000001"), D("1.10"), D("0.25"))


def test_a_variable_is_expanded_and_a_missing_one_refused(tmp_path: Path) -> None:
    root = a_root(tmp_path, config__config_yaml="monitoring:\n  health_port: ${MY_PORT:-8081}\nsystem:\n  data_dir: ${BASE}/data\n")

    settings = load(root, env={"BASE": "/var/lib/x"}).settings
    assert (settings.monitoring.health_port, settings.system.data_dir) == (8081, "/var/lib/x/data")
    assert "config/config.yaml:4: ${BASE} is not set" in refusal(root)


def test_the_value_of_a_variable_is_not_shown_in_an_error(tmp_path: Path) -> None:
    root = a_root(tmp_path, config__config_yaml="risk:\n  max_leverage: ${CANARY}\n")

    text = refusal(root, env={"CANARY": "canary-9f3a"})

    assert "canary-9f3a" not in text
    assert "config/config.yaml:2" in text


def test_nested_liquidity_tiers_become_candidate_symbols_with_a_warning(tmp_path: Path) -> None:
    root = a_root(tmp_path, config__config_yaml="exchange:\n  liquidity_tiers:\n    A: [BTC, ETH]\n    B: [SOL, BTC]\n")

    loaded = load(root)

    assert loaded.settings.data.universe.candidate_symbols == ("BTC", "ETH", "SOL")
    assert len(loaded.warnings) == 1
    assert "exchange.liquidity_tiers is deprecated" in loaded.warnings[0]


def test_a_profile_is_chosen_by_plain_name_only(tmp_path: Path) -> None:
    root = a_root(tmp_path, config__profiles__launch_yaml="", outside_yaml="")

    assert "known: launch" in refusal(root, profile="lunch")
    assert "no profile" in refusal(root, profile="../../outside")


def test_a_given_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    assert "cannot read" in refusal(tmp_path, tmp_path / "nowhere.yaml")


def test_aliases_cannot_unfold_without_end(tmp_path: Path) -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{name}: &{name} [{', '.join(['*' + below] * 10)}]\n" for below, name in zip("abcdef", "bcdefg", strict=True)
    )

    assert "too large" in refusal(a_root(tmp_path, config__config_yaml=bomb))


@pytest.mark.parametrize(
    ("env", "venue", "has_file", "expected"),
    [
        ({}, "sim", False, True),
        ({}, "kraken_futures", False, False),
        ({"ENV": "local"}, "kraken_futures", False, True),
        ({"ENV": "prod"}, "kraken_futures", True, True),
    ],
)
def test_local_mode_is_env_or_env_file_or_embedded_venue(
    tmp_path: Path, env: dict[str, str], venue: str, has_file: bool, expected: bool
) -> None:
    if has_file:
        (tmp_path / ".env.local").write_text("LOG_LEVEL=INFO\n")

    loaded = load(tmp_path, env={**env, "TS_EXCHANGE__VENUE": venue})

    assert loaded.is_local is expected
    assert (loaded.database_url.reveal() if loaded.database_url else None) == (LOCAL_DATABASE_URL if expected else None)


def test_the_process_environment_wins_over_env_local(tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text("TS_SIM__SEED=1\nTS_SIM__PORT=7000\nCONFIRM_LIVE=YES\n")

    loaded = load(tmp_path, env={"TS_SIM__SEED": "2"})

    assert (loaded.settings.sim.seed, loaded.settings.sim.port, loaded.confirm_live) == (2, 7000, True)


@pytest.mark.parametrize("word", ["yes", "true", "1", ""])
def test_only_the_exact_word_confirms_live(tmp_path: Path, word: str) -> None:
    assert load(tmp_path, env={"CONFIRM_LIVE": word}).confirm_live is False


def test_the_hash_depends_on_values_not_on_spelling_or_origin(tmp_path: Path) -> None:
    root = a_root(tmp_path, config__config_yaml="risk:\n  planned_utilization_max: 0.9000\n", other_yaml="risk:\n  max_leverage: 6\n")

    assert load(root).config_hash == config_hash(Settings())
    assert load(root, root / "other.yaml").config_hash != config_hash(Settings())
