"""A strategy of somebody else's installed package runs in the daemon, chosen by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fakes.daemon_rig import DaemonRig, run_rig
from trading_system.config.settings import Settings
from trading_system.domain.symbols import Symbol
from trading_system.strategy.catalogue import installed
from trading_system.wiring.strategies import strategy_of

DOCS = Path(__file__).parents[2] / "docs" / "strategies.md"
STEADY = {"PF_XBTUSD": {0: 100_000.0}, "PF_ETHUSD": {0: 3_000.0}}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `pip install` leaves behind of the package in docs/strategies.md: the module, and its metadata with the entry point."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[:1]
    site = tmp_path / "site"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").write_text("")
    (site / "my_package" / "my_module.py").write_text(code, encoding="utf-8")
    info = site / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trading_system.strategies]\nthree_rises = my_package.my_module:ThreeRises\n")
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.mark.usefixtures("package")
def test_an_installed_package_brings_a_strategy_that_judges_in_the_running_daemon(tmp_path: Path) -> None:
    assert "three_rises" in {plugin.name for plugin in installed()}
    settings = Settings.model_validate({"strategy": {"engine": "three_rises"}})

    async def scenario(rig: DaemonRig) -> None:
        await rig.until(lambda: rig.live.is_warm and rig.live.cycle > 1, 300)
        said = rig.live.decisions.last(Symbol("BTC/USD"))
        assert said is not None
        assert [gate.name for gate in said.ladder.gates] == ["data", "rise"]
        assert getattr(said, "reason_code", None) == "NO_RISE"

    def make(loop: object) -> DaemonRig:
        rig = DaemonRig(loop, tmp_path / "data", STEADY, ())  # type: ignore[arg-type]
        rig.live.strategy = rig.strategy = strategy_of(settings)
        return rig

    (tmp_path / "data").mkdir()
    run_rig(make, scenario)
