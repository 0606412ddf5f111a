"""A small 5paisa on the fake vendor: a scrip master typed by hand, one account, and the broker that speaks to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from brokers.base import Secret
from brokers.fivepaisa import FivePaisaBroker, FivePaisaCredentials
from brokers.rest import RestClient
from tests.brokers.fake_vendor import FakeVendor

INDIA = ZoneInfo("Asia/Kolkata")
NOW = datetime(2026, 11, 20, 16, 30, tzinfo=INDIA)
API = "/VendorsAPI/Service1.svc"

HEAD = (
    "Exch,ExchType,ScripCode,Name,Expiry,ScripType,StrikeRate,FullName,TickSize,LotSize,QtyLimit,Multiplier,"
    "SymbolRoot,BOCOAllowed,ISIN,ScripData,Series"
)
NONE, NOV24, NOV26 = "1980-01-01 00:00:00", "2026-11-24 14:30:00", "2026-11-26 14:30:00"
MASTER = f"""{HEAD}
N,C,999920000,NIFTY,{NONE},EQ,0,NIFTY,0.05,1,0,1,NIFTY,N,,,EQ
N,C,999920005,BANKNIFTY,{NONE},EQ,0,BANKNIFTY,0.05,1,0,1,BANKNIFTY,N,,,EQ
N,C,999920999,NIFTY ODD 7,{NONE},EQ,0,NIFTY ODD 7,0.05,1,0,1,NIFTY ODD 7,N,,,EQ
B,C,999901,SENSEX,{NONE},EQ,0,SENSEX,0.05,1,0,1,SENSEX,N,,,EQ
N,C,1660,ITC,,EQ,0,ITC LTD,0.05,1,0,1,ITC,Y,INE154A01025,ITC_EQ,EQ
N,C,2031,M&M,,EQ,0,MAHINDRA,0.05,1,0,1,M&M,Y,INE101A01026,M&M_EQ,EQ
N,C,11900,YESBANK,{NONE},EQ,0,YES BANK LTD,0.01,1,0,1,YESBANK,Y,,YESBANK_BE,BE
N,C,11915,YESBANK,{NONE},EQ,0,YES BANK LTD,0.01,1,0,1,YESBANK,Y,,YESBANK_EQ,EQ
N,C,9999,SOMEBOND,,,0,A BOND,0.01,1,100,1,SOMEBOND,N,,,N2
B,C,532822,IDEA,,EQ,0,VODAFONE IDEA,0.01,1,0,1,IDEA,Y,INE669E01016,IDEA_A,A
N,D,35001,NIFTY 24 Nov 2026  ,{NOV24},XX,0,NIFTY,0.05,75,0,1,NIFTY,N,,,
N,D,47001,NIFTY 24 Nov 2026 CE 26000.00,{NOV24},CE,26000,NIFTY,0.05,75,0,1,NIFTY,N,,,XX
N,D,47002,NIFTY 24 Nov 2026 PE 26000.00,{NOV24},PE,26000.00,NIFTY,0.05,75,0,1,NIFTY,N,,,
N,D,47003,BROKEN,soon,CE,26000,NIFTY,0.05,75,0,1,NIFTY,N,,,
B,D,1180001,ITC 26 Nov 2026 CE 400.00,{NOV26},CE,400,ITC,0.05,1600,0,1,ITC,N,,ITC_CE,XX
B,D,1190002,ITC 26 Nov 2026 CE 400.00,{NOV26},CE,400,ITC,0.05,1600,0,1,ITC,N,,ITC_CE,XX
B,D,837931,SENSEX 26 Nov 2026 PE 85000.00,{NOV26},PE,85000,SENSEX,0.05,20,0,1,SENSEX,N,,,
M,D,426308,SILVERMIC 30 Nov 2026,{NOV26},XX,0,SILVERMIC,1,1,0,1,SILVERMIC,N,,,
N,U,1,USDINR 26 Nov 2026,{NOV26},XX,0,USDINR,1,1,0,1,USDINR,N,,,
"""


def told(**body: Any) -> dict[str, Any]:
    """An envelope of success."""
    return {"head": {"status": "0", "statusDescription": "Success"}, "body": {"Status": 0, "Message": "", **body}}


def failed(status: int, words: str) -> dict[str, Any]:
    return {"head": {"status": status, "statusDescription": words}, "body": {"Status": status, "Message": words}}


def broker(vendor: FakeVendor, now: datetime = NOW, **credentials: Any) -> FivePaisaBroker:
    given = {"app_key": Secret("APP-KEY-1"), "access_token": Secret("JWT-123"), **credentials}
    rest = RestClient("5paisa", vendor.url, per_second=1e6, timeout=2.0, sleep=lambda seconds: None)
    return FivePaisaBroker(FivePaisaCredentials("123456", **given), rest=rest, now=lambda: now)
