"""The generated venue's markets: names people know, round made-up prices, liquidity in three tiers.

Nothing here is market data: prices and volumes are plausible orders of magnitude for a smaller futures venue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading_system.domain.market import Tier
from trading_system.domain.symbols import normalise, to_venue
from trading_system.sim.margin_schedule import MarginClass
from trading_system.sim.source import MarketSpec

# base, price USD, 24 h volume in million USD, beta to the market factor, own daily volatility in percent
_TABLE: Final = """
BTC 84000 420 1.00 1.2 | ETH 2600 135 1.15 1.7 | SOL 118 45 1.30 2.4 | XRP 1.6 24 1.10 2.3
DOGE 0.092 12 1.25 2.6 | BNB 640 9 0.85 1.4 | ADA 0.41 8.5 1.20 2.3 | LINK 14.2 7.8 1.20 2.3
AVAX 17.5 7.2 1.30 2.5 | SUI 1.75 9.5 1.40 2.9 | LTC 82 6.6 0.95 1.8 | HYPE 31 11 1.20 3.4
BCH 470 6.4 1.00 1.9 | DOT 3.4 6.2 1.15 2.2 | PEPE 0.0000042 6.1 1.45 3.5 | AAVE 172 5.9 1.25 2.6
UNI 5.9 4.1 1.20 2.6 | NEAR 2.1 3.9 1.25 2.6 | TRX 0.29 3.4 0.45 1.2 | XLM 0.25 3.2 1.05 2.3
HBAR 0.14 3.0 1.20 2.7 | APT 3.1 2.9 1.30 2.6 | ARB 0.27 2.8 1.30 2.7 | OP 0.42 2.6 1.35 2.8
ATOM 3.0 2.5 1.10 2.2 | FIL 1.5 2.4 1.20 2.5 | INJ 7.6 2.3 1.35 2.9 | TIA 0.95 2.2 1.40 3.2
SEI 0.17 2.1 1.35 2.9 | ENA 0.33 2.6 1.45 3.5 | ONDO 0.62 2.2 1.25 2.8 | WLD 0.71 2.1 1.40 3.3
JUP 0.31 1.9 1.35 3.0 | WIF 0.52 2.0 1.50 3.7 | BONK 0.000013 1.9 1.45 3.5 | FET 0.34 1.8 1.40 3.2
RENDER 2.3 1.8 1.35 3.0 | LDO 0.83 1.6 1.35 2.9 | CRV 0.48 1.7 1.30 3.0 | ETC 14.8 1.6 1.10 2.2
ICP 4.2 1.5 1.20 2.6 | ALGO 0.16 1.4 1.15 2.5 | XMR 290 1.8 0.60 1.8 | ZEC 240 2.2 0.80 3.4
TAO 310 2.4 1.35 3.3 | TON 1.9 1.5 0.90 2.2 | STX 0.45 1.2 1.30 2.8 | GALA 0.011 1.1 1.35 3.0
SAND 0.19 1.05 1.30 2.8 | MANA 0.21 1.0 1.30 2.8 | RUNE 0.95 1.0 1.35 3.0 | DYDX 0.42 0.95 1.35 3.0
PENGU 0.021 1.4 1.50 4.0 | FARTCOIN 0.58 1.3 1.60 4.6 | VIRTUAL 0.98 1.1 1.50 4.0 | KAITO 0.86 0.95 1.45 4.0
AXS 1.5 0.44 1.30 2.9 | IMX 0.38 0.43 1.30 2.8 | GRT 0.061 0.42 1.25 2.7 | COMP 34 0.41 1.15 2.5
SNX 0.62 0.40 1.35 3.2 | CHZ 0.034 0.40 1.15 2.5 | YFI 4600 0.39 1.10 2.3 | KSM 11.5 0.38 1.15 2.5
MINA 0.12 0.37 1.25 2.8 | EGLD 9.8 0.36 1.20 2.6 | ENS 11.4 0.42 1.30 3.0 | BLUR 0.049 0.35 1.40 3.3
"""

# where the venue's grid is known from its public pages; all others follow the price
_KNOWN_GRID: Final = {
    "BTC": ("1", "0.0001", "1200"),
    "ETH": ("0.1", "0.001", "16000"),
    "LTC": ("0.01", "0.01", "200000"),
    "DOGE": ("0.00001", "1", "200000000"),
    "PEPE": ("0.0000000001", "1000", "1500000000000"),
}
_HALF_SPREAD_BPS: Final = {Tier.A: 1.2, Tier.B: 4.0, Tier.C: 11.0}
_DEPTH_SHARE: Final = {Tier.A: 0.020, Tier.B: 0.030, Tier.C: 0.080}  # of a day's volume, on each side within 1 %


@dataclass(frozen=True, slots=True)
class CoinModel:
    """How one coin moves. Volatility: own part, standard deviation of an hour's log return."""

    spec: MarketSpec
    price: float
    beta: float
    sigma_hour: float


def catalogue(count: int | None = None) -> tuple[CoinModel, ...]:
    """All generated markets, most liquid first within the table; `count`: so many, the ones beyond the table under numbered names."""
    entries = [entry.split() for line in _TABLE.strip().splitlines() for entry in line.split("|")]
    wanted = len(entries) if count is None else count
    models = []
    for number in range(wanted):
        base, price, volume, beta, daily = entries[number % len(entries)]
        again = number // len(entries)
        name = base if again == 0 else f"{base}{again + 1}"
        models.append(_coin(name, float(price), float(volume) * 1e6, float(beta), float(daily)))
    return tuple(models)


def tier_of(volume_usd_24h: float) -> Tier:
    """Liquidity class by a day's volume in USD."""
    if volume_usd_24h >= 5e6:
        return Tier.A
    return Tier.B if volume_usd_24h >= 0.5e6 else Tier.C


def make_spec(
    base: str, price: float, volume_usd_24h: float, *, tick: Decimal | None = None, size_step: Decimal | None = None
) -> MarketSpec:
    """Facts that follow from a price level (USD, > 0) and a day's volume, unless given."""
    tier = tier_of(volume_usd_24h)
    magnitude = math.floor(math.log10(price))
    tick = tick or Decimal(10) ** (magnitude - 4)
    step = size_step or Decimal(10) ** math.floor(math.log10(5 / price))
    spread = max(_HALF_SPREAD_BPS[tier] * (1.0 if tier is not Tier.A else min(1.0, (2e7 / volume_usd_24h) ** 0.3)), 0.1)
    return MarketSpec(
        symbol=to_venue(normalise(base)),
        tick=tick,
        size_step=step,
        size_min=step,
        position_size_max=max(step, Decimal(int(volume_usd_24h * 0.5 / price / float(step))) * step),
        margin_class=_margin_class(volume_usd_24h),
        tier=tier,
        half_spread_bps=spread,
        depth_usd=volume_usd_24h * _DEPTH_SHARE[tier],
        volume_usd_24h=volume_usd_24h,
        category="",
    )


def _margin_class(volume_usd_24h: float) -> MarginClass:
    if volume_usd_24h >= 1e8:
        return MarginClass.A
    if volume_usd_24h >= 5e6:
        return MarginClass.B
    if volume_usd_24h >= 0.5e6:
        return MarginClass.C
    return MarginClass.D if volume_usd_24h >= 0.36e6 else MarginClass.E


def _coin(base: str, price: float, volume_usd_24h: float, beta: float, daily_percent: float) -> CoinModel:
    grid = _KNOWN_GRID.get(base)
    if grid is None:
        spec = make_spec(base, price, volume_usd_24h)
    else:
        tick, step, largest = (Decimal(text) for text in grid)
        made = make_spec(base, price, volume_usd_24h, tick=tick, size_step=step)
        spec = MarketSpec(
            made.symbol, tick, step, step, largest, made.margin_class, made.tier, made.half_spread_bps, made.depth_usd, volume_usd_24h
        )
    return CoinModel(spec, price, beta, daily_percent / 100 / math.sqrt(24))
