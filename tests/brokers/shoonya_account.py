"""A small Shoonya on the fake vendor: master files typed by hand, one account, and the broker that speaks to it."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from brokers.base import Secret
from brokers.rest import RestClient
from brokers.shoonya import ShoonyaBroker, ShoonyaCredentials
from tests.brokers.fake_vendor import Call, FakeVendor, Reply

INDIA = ZoneInfo("Asia/Kolkata")
NOW = datetime(2026, 11, 20, 16, 30, tzinfo=INDIA)

NSE = """Exchange,Token,LotSize,Symbol,TradingSymbol,Instrument,TickSize,
NSE,26000,1,Nifty 50,NIFTY INDEX,INDEX,0,
NSE,26009,1,Nifty Bank,NIFTY BANK,INDEX,0,
NSE,26999,1,Nifty Odd 7,NIFTY ODD 7,INDEX,0,
NSE,29,1,ACC,ACC-BE,BE,0.05,
NSE,22,1,ACC,ACC-EQ,EQ,0.05,
NSE,2031,1,M&M,M&M-EQ,EQ,0.05,
NSE,16669,1,BAJAJ-AUTO,BAJAJ-AUTO-EQ,EQ,0.05,
NSE,900,1,7GOLD BOND,7GOLD-GB,GB,0.05,
"""
NFO = """Exchange,Token,LotSize,Symbol,TradingSymbol,Expiry,Instrument,OptionType,StrikePrice,TickSize,
NFO,35001,75,NIFTY,NIFTY24NOV26F,24-NOV-2026,FUTIDX,XX,0,0.05,
NFO,47001,75,NIFTY,NIFTY24NOV26C26000,24-NOV-2026,OPTIDX,CE,26000,0.05,
NFO,47002,75,NIFTY,NIFTY24NOV26P26000,24-NOV-2026,OPTIDX,PE,26000.00,0.05,
NFO,52001,700,M&M,M&M24NOV26C3742.5,24-Nov-2026,OPTSTK,CE,3742.5,0.05,
"""
BSE = """Exchange,Token,LotSize,Symbol,TradingSymbol,Instrument,TickSize,
BSE,500010,1,HDFC,HDFC,A,0.05,
"""
BFO = """Exchange,Token,LotSize,Symbol,TradingSymbol,Expiry,Instrument,OptionType,StrikePrice,TickSize,
BFO,837931,20,BSXOPT,SENSEX26NOV85000PE,26-NOV-2026,OPTIDX,PE,85000,0.05,
BFO,837001,20,BSXFUT,SENSEX26NOVFUT,26-NOV-2026,FUTIDX,XX,0,0.05,
BFO,837002,20,RELI,RELIANCE26NOVFUT,26-NOV-2026,FUTSTK,XX,0,0.05,
"""
MASTERS = {"NSE": NSE, "NFO": NFO, "BSE": BSE, "BFO": BFO}
API = "/NorenWClientAPI"


def zipped(text: str, name: str = "symbols.txt") -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr(name, text)
    return into.getvalue()


def data_of(call: Call) -> dict[str, str]:
    """The JSON of a call; the token after it is not part of it."""
    body = call.body.decode().removeprefix("jData=").split("&jKey=")[0]
    read: dict[str, str] = json.loads(body)
    return read


def stock(vendor: FakeVendor) -> None:
    """Let the vendor serve the master files."""
    for segment, text in MASTERS.items():
        vendor.answer(f"/{segment}_symbols.txt.zip", Reply(zipped(text)))


def broker(vendor: FakeVendor, now: datetime = NOW, **credentials: Any) -> ShoonyaBroker:
    given = {"access_token": Secret("ACCESS-123"), "user_token": Secret("USER-456"), **credentials}
    rest = RestClient("Shoonya", vendor.url, per_second=1e6, timeout=2.0, sleep=lambda seconds: None)
    return ShoonyaBroker(ShoonyaCredentials("FA12345", **given), rest=rest, now=lambda: now)
