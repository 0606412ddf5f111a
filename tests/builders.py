"""Random trades with all the prices their explanation needs, and the same trades as the naive twin sees them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from scipy.special import ndtr

from tests import naive

START = datetime(2025, 1, 2, 9, 15)


@dataclass(frozen=True)
class Root:
    """Options of one underlying: how they are written and how they trade."""

    base: str
    underlying: str
    exchange: str
    level: float
    step: float
    multiplier: float
    share: str | None = None
    has_futures: bool = True

    @property
    def base_of_futures(self) -> str:
        """Futures go by the underlying's name, options by their root."""
        return self.underlying.partition("_")[0]


NIFTY = Root("NIFTY", "NIFTY_IND___", "NSE", 23500.0, 50.0, 1.0)
BANKNIFTY = Root("BANKNIFTY", "BANKNIFTY_IND___", "NSE", 50000.0, 100.0, 1.0)
RELIANCE = Root("RELIANCE", "RELIANCE_STK___", "NSE", 1250.0, 10.0, 1.0, share="RELIANCE_STK___")
SPY = Root("SPY", "SPY_STK___", "US", 590.0, 5.0, 100.0, share="SPY_STK___", has_futures=False)
SPXW = Root("SPXW", "SPX_IND___", "US", 5900.0, 25.0, 100.0, has_futures=False)

MARKETS = ((NIFTY,), (NIFTY, BANKNIFTY), (NIFTY, RELIANCE), (RELIANCE,), (SPY,), (SPY, SPXW), (NIFTY, SPXW))


@dataclass
class Case:
    """A trade for the public call (``row`` and ``sources``) and for the twin (``legs`` and ``combo_gap``)."""

    row: dict[str, Any]
    leg_prices: dict[str, dict[str, float]]
    spot_prices: dict[Any, Any]
    model: dict[str, Any]
    legs: list[naive.Leg]
    combo_gap: Any
    symbols: list[str] = field(default_factory=list)

    @property
    def sources(self) -> dict[str, Any]:
        return {"leg_prices": self.leg_prices, "spot_prices": self.spot_prices}


def rough_price(right: int, forward: float, strike: float, years: float, vol: float) -> float:
    """A price of the right size; only the twin's and the library's readings of it are compared."""
    intrinsic = max(right * (forward - strike), 0.0)
    if years <= 0.0:
        return intrinsic
    std = vol * math.sqrt(years)
    d1 = math.log(forward / strike) / std + std / 2
    return float(right * (forward * ndtr(right * d1) - strike * ndtr(right * (d1 - std))))


def random_case(rng: random.Random) -> Case:
    """A trade of one to five legs held from a minute to some weeks, quoted with everything that goes wrong."""
    return _Builder(rng).case()


class _Builder:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.roots = rng.choice(MARKETS)
        self.home = naive.HOURS[self.roots[0].exchange]
        self.entry = self._instant(START, timedelta(days=30))
        held = rng.choice([timedelta(minutes=rng.randint(1, 300)), timedelta(minutes=rng.randint(300, 40000))])
        self.exit = self.entry + held
        rate = rng.choice([0.0, 0.0, 0.065])
        dividend_yield = rng.choice([0.0, 0.0, 0.012])
        clock = rng.choice(["sessions", "sessions", "calendar"])
        self.model = {"rate": rate, "dividend_yield": dividend_yield, "clock": clock}
        self.knows = rng.choice(["spot", "both", "both", "forward"])
        self.spots: dict[str, tuple[float, float]] = {}
        self.settled: dict[tuple[str, date], float] = {}
        self.forwards: dict[tuple[str, date, int], float] = {}
        self.leg_prices: dict[str, dict[str, float]] = {}
        self.legs: dict[str, tuple[int, naive.Leg]] = {}
        for root in self.roots:
            first = root.level * math.exp(rng.gauss(0.0, 0.03))
            last = first * math.exp(rng.gauss(0.0, rng.choice([0.002, 0.03])))
            self.spots[root.underlying] = (round(first, 2), round(last, 2))

    def _instant(self, first: datetime, range_: timedelta) -> datetime:
        """Mostly while the market is open; now and then at night or on a weekend."""
        minutes = int(range_ / timedelta(minutes=1))
        at = first
        for _ in range(1 if self.rng.random() < 0.1 else 100):
            at = (first + timedelta(minutes=self.rng.randrange(minutes))).replace(tzinfo=self.home.zone)
            if self.home.is_session(at.date()):
                opens, closes = self.home.session(at.date())
                if opens <= at < closes:
                    break
        return at

    def case(self) -> Case:
        rng = self.rng
        for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 5])):
            root = rng.choice(self.roots)
            kind = rng.random()
            if kind < 0.75 or (root.share is None and not root.has_futures):
                self._option(root)
            elif root.share is not None and (kind < 0.9 or not root.has_futures):
                self._share(root)
            elif self.knows != "forward":
                self._future(root)
            else:
                self._option(root)
        quantity = rng.choice([1, -1, 75, -75, 300, -25, 2.5])
        symbols = list(self.legs)
        single = len(symbols) == 1
        symbol = ":".join(f"{s}?{ratio}" for s, (ratio, _) in self.legs.items())
        if single and self.legs[symbols[0]][0] == 1:
            symbol = symbols[0]
        row: dict[str, Any] = {
            "symbol": symbol,
            "entry_time": self.entry,
            "exit_time": self.exit,
            "entry_quantity": quantity,
        }
        if all(root.exchange == "US" for root in self.roots):
            row["exchange"] = "US"
        gap = self._row_prices(row, quantity)
        legs = [naive.Leg(leg.contract, leg.position * quantity, leg.start, leg.end) for _, leg in self.legs.values()]
        return Case(row, self.leg_prices, self._spot_prices(), self.model, legs, gap, symbols)

    def _ratio(self) -> int:
        return self.rng.choice([1, -1, 1, -1, 2, -2, 3])

    def _expiry(self, root: Root) -> date:
        """A session on or after the entry's day: often soon, so that the leg expires inside the trade."""
        hours = naive.HOURS[root.exchange]
        local = self.entry.astimezone(hours.zone)
        # Where no spot is given, a settlement value of the entry's own day would be "the only key of that date".
        first = 1 if self.knows == "forward" else 0
        day = local.date() + timedelta(days=self.rng.choice([first, 1, 2, 5, 9, 20, 40]))
        while not hours.is_session(day) or hours.session(day)[1] <= local:
            day += timedelta(days=1)
        return day

    def _years(self, root: Root, at: datetime, expires_at: datetime) -> Any:
        return naive.years_between(self.model["clock"], root.exchange, at, expires_at)

    def _forward(self, root: Root, expiry: date, end: int) -> float:
        """The forward at an end of the trade: a whole number of paise off the cost of carry."""
        key = (root.underlying, expiry, end)
        if key not in self.forwards:
            at = self.exit if end else self.entry
            years = float(self._years(root, at, naive.HOURS[root.exchange].session(expiry)[1]))
            carry = self.model["rate"] - self.model["dividend_yield"]
            off = self.rng.gauss(0.0, 0.001)
            self.forwards[key] = round(self.spots[root.underlying][end] * math.exp(carry * years + off), 2)
        return self.forwards[key]

    def _settlement(self, root: Root, expiry: date) -> float:
        key = (root.underlying, expiry)
        if key not in self.settled:
            first, last = self.spots[root.underlying]
            self.settled[key] = round(first + (last - first) * self.rng.random(), 2)
        return self.settled[key]

    def _option(self, root: Root) -> None:
        rng = self.rng
        expiry, right = self._expiry(root), rng.choice([1, -1])
        expires_at = naive.HOURS[root.exchange].session(expiry)[1]
        width = rng.choice([0.005, 0.02, 0.08])
        strike = root.step * round(root.level * math.exp(rng.gauss(0.0, width)) / root.step)
        symbol = f"{root.base}_OPT_{expiry:%Y%m%d}_{'CALL' if right == 1 else 'PUT'}_{strike:g}"
        if symbol in self.legs:
            return
        level = rng.choice([0.12, 0.2, 0.45])
        sights = []
        for end, at in enumerate((self.entry, self.exit)):
            if end and self._payoff(expiry, expires_at):
                settled = self._settlement(root, expiry)
                payoff = max(right * (settled - strike), 0.0)
                sights.append(naive.Sight(_exact(payoff), _exact(settled), None, naive.mp.zero))
                continue
            years = self._years(root, at, expires_at)
            spot, forward = self.spots[root.underlying][end], self._forward(root, expiry, end)
            sees_forward = forward if self.knows != "spot" else spot
            price = rough_price(right, sees_forward, strike, float(years), level * math.exp(rng.gauss(0.0, 0.1)))
            price = self._mistreat(price, right, sees_forward, strike)
            self.leg_prices.setdefault(symbol, {})["exit" if end else "entry"] = price
            sights.append(
                naive.Sight(
                    _exact(price),
                    None if self.knows == "forward" else _exact(spot),
                    None if self.knows == "spot" else _exact(forward),
                    years,
                )
            )
        contract = naive.Contract(
            right, _exact(strike), _exact(self.model["rate"]), _exact(self.model["dividend_yield"])
        )
        self._add(symbol, root.multiplier, contract, sights)

    def _payoff(self, expiry: date, expires_at: datetime) -> bool:
        """A fill on the expiry day stays a fill, however late it was recorded."""
        return self.exit >= expires_at and self.exit.astimezone(expires_at.tzinfo).date() > expiry

    def _mistreat(self, price: float, right: int, forward: float, strike: float) -> float:
        """What happens to prices: rounded to a tick, nothing, below intrinsic, at it, or out of all bounds."""
        fate = self.rng.random()
        if fate < 0.75:
            return round(price * 20) / 20
        if fate < 0.85:
            return price
        intrinsic = max(right * (forward - strike), 0.0)
        if fate < 0.97:
            # With carry, whether a price *is* at its bound hangs on the last bit of a discounted forward.
            off = 0.0 if self.model["rate"] == self.model["dividend_yield"] == 0.0 else 1e-8
            return self.rng.choice([0.0, max(intrinsic - off, 0.0), 0.98 * intrinsic, intrinsic + 1e-9])
        return 1.01 * (forward if right == 1 else strike)

    def _share(self, root: Root) -> None:
        assert root.share is not None
        if root.share in self.legs:
            return
        first, last = self.spots[root.underlying]
        self.leg_prices[root.share] = {"entry": first, "exit": last}
        sights = [naive.Sight(_exact(first)), naive.Sight(_exact(last))]
        self._add(root.share, 1.0, naive.Contract(0), sights)

    def _future(self, root: Root) -> None:
        expiry = self._expiry(root)
        expires_at = naive.HOURS[root.exchange].session(expiry)[1]
        symbol = f"{root.base_of_futures}_FUT_{expiry:%Y%m%d}__"
        if symbol in self.legs:
            return
        sights = []
        for end in (0, 1):
            if end and self._payoff(expiry, expires_at):
                settled = _exact(self._settlement(root, expiry))
                sights.append(naive.Sight(settled, settled))
                continue
            price = self._forward(root, expiry, end)
            self.leg_prices.setdefault(symbol, {})["exit" if end else "entry"] = price
            sights.append(naive.Sight(_exact(price), _exact(self.spots[root.underlying][end])))
        self._add(symbol, 1.0, naive.Contract(0), sights)

    def _add(self, symbol: str, multiplier: float, contract: naive.Contract, sights: list[naive.Sight]) -> None:
        ratio = self._ratio()
        self.legs[symbol] = (ratio, naive.Leg(contract, _exact(ratio * multiplier), sights[0], sights[1]))

    def _row_prices(self, row: dict[str, Any], quantity: float) -> Any:
        """Give some combos prices of their own, a little off the sum of their legs: the combo gap."""
        multipliers = {abs(leg.position / ratio) for ratio, leg in self.legs.values()}
        common = multipliers.pop() if len(multipliers) == 1 else naive.mp.one
        if len(self.legs) == 1:
            # The row's price is that of its only leg, times the ratio.
            ((symbol, (ratio, _)),) = self.legs.items()
            if self.rng.random() < 0.5:
                for side, price in self.leg_prices.pop(symbol).items():
                    row[f"{side}_price"] = price * ratio
            return naive.mp.zero
        if self.rng.random() < 0.5:
            return naive.mp.zero
        gaps, expired = [], any(len(self.leg_prices[s]) == 1 for s in self.legs)
        for end, side in enumerate(("entry", "exit")):
            net = sum(leg.position / common * (leg.end if end else leg.start).price for _, leg in self.legs.values())
            row[f"{side}_price"] = float(net) + self.rng.choice([0.0, 0.25, -0.4])
            gaps.append(_exact(row[f"{side}_price"]) - net)
        # Where a leg has expired, the row's price at the end is that of other legs: counted as agreement.
        return _exact(quantity) * common * ((naive.mp.zero if expired else gaps[1]) - gaps[0])

    def _spot_prices(self) -> dict[Any, Any]:
        """Spots at the ends and settlement values, forwards beside them or under the future's symbol."""
        prices: dict[Any, Any] = {}
        exchange = {root.underlying: root.exchange for root in self.roots}
        for root in self.roots:
            for end, at in enumerate((self.entry, self.exit)):
                forwards = {e: f for (u, e, k), f in self.forwards.items() if u == root.underlying and k == end}
                spot = self.spots[root.underlying][end]
                key = (root.underlying, root.exchange, at)
                if self.knows == "spot":
                    prices[key] = spot
                elif self.knows == "both":
                    prices[key] = (spot, forwards)
                else:
                    for expiry, forward in forwards.items():
                        # The future's own price, under its own symbol.
                        prices[f"{root.base_of_futures}_FUT_{expiry:%Y%m%d}__", root.exchange, at] = forward
        for (underlying, expiry), settled in self.settled.items():
            closes = naive.HOURS[exchange[underlying]].session(expiry)[1]
            prices[underlying, exchange[underlying], closes] = settled
        return prices


def _exact(number: float) -> Any:
    return naive.mp.mpf(number)
