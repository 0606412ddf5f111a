"""Result dicts made by hand, in the documented shape, so that the report is tested on its own."""

import math
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

IST = ZoneInfo("Asia/Kolkata")
START = datetime(2025, 1, 3, 15, 30, tzinfo=IST)
END = datetime(2025, 1, 6, 15, 30, tzinfo=IST)


def make_leg(effects=(0.0, 0.0, 0.0, 0.0), **changes):
    spot, vol, time, spread = effects
    return {
        "spot_attrib": spot,
        "vol_attrib": vol,
        "timedecay_attrib": time,
        "spread_attrib": spread,
        "pnl": sum(effects),
        "residual": 0.0,
        "status": "ok",
        "flags": (),
        "reason": "",
        "quantity": -75.0,
        "multiplier": 1.0,
        "underlying": "NIFTY_IND___",
        "expiry": date(2025, 1, 30),
        "price0": 300.0,
        "price1": 280.0,
        "vol0": 0.142,
        "vol1": 0.134,
        "spot0": 23742.90,
        "spot1": 24188.65,
        "forward0": 23742.90,
        "forward1": 24188.65,
        "plays_spot": "spot",
        "sources": {},
        "window": {"start": START, "end": END, "start_price": "close", "end_price": "close"},
        **changes,
    }


def make_result(legs=None, **changes):
    legs = {"NIFTY_OPT_20250130_CALL_24000": make_leg((-12340.0, 1000.0, 3210.0, 0.0))} if legs is None else legs
    names = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib", "pnl", "residual")
    total = {name: sum(leg[name] for leg in legs.values()) for name in names}
    return {
        "symbol": ":".join(legs),
        "trade": "t1",
        **total,
        "per_leg": legs,
        "combo_gap": 0.0,
        "fees": 0.0,
        "net_pnl": total["pnl"],
        "status": "ok",
        "flags": (),
        "reason": "",
        "method": "waterfall",
        "clock": "sessions",
        "window": {"start": START, "end": END, "start_price": "close", "end_price": "close"},
        "session": date(2025, 1, 6),
        **changes,
    }


def make_unknown(**changes):
    names = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib", "pnl", "residual", "fees", "net_pnl")
    unknown = dict.fromkeys(names, math.nan)
    reason = "price of X at 2025-01-06: no close"
    return make_result(**{**unknown, "status": "missing_price", "reason": reason, "trade": "lost", **changes})


@pytest.fixture
def leg():
    return make_leg


@pytest.fixture
def result():
    return make_result


@pytest.fixture
def unknown():
    return make_unknown
