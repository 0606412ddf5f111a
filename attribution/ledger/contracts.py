"""What a ledger's symbol stands for: its kind, its multiplier, the calendar that dates its fills.

A ledger keeps a symbol as the broker writes it, with one exception: an OCC symbol loses its padding, so that one
contract never has two names. What the text means is told by :mod:`attribution.symbols` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

from attribution.calendars import get_calendar
from attribution.errors import CalendarError, SymbolError
from attribution.instruments import Equity, Future, Index, Instrument, Option
from attribution.ledger.money import EXACT
from attribution.symbols import format_occ, format_symbol, parse_symbol, parse_underlying_name, underlying_of

__all__ = ["PLAIN_EXCHANGE", "Contract", "contract_of", "trade_date_of"]

PLAIN_EXCHANGE = "US"
"""Where a bare ticker such as ``AAPL`` is at home if nobody says otherwise."""

_KINDS = ((Option, "OPTION"), (Future, "FUTURE"), (Index, "INDEX"), (Equity, "STOCK"))
_ZERO, _ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True)
class Contract:
    """A symbol as the ledger keeps it, and what it stands for.

    ``instrument`` is None for what the engine cannot read (a coin, a fund's own code): such a holding has lots
    and a P&L, but no causes. ``multiplier`` is in currency per point and unit.
    """

    symbol: str
    asset_type: str
    multiplier: Decimal
    instrument: Instrument | None

    @property
    def exchange(self) -> str | None:
        """The exchange whose calendar holds, or None where there is none."""
        return None if self.instrument is None else self.instrument.exchange

    @property
    def underlying_name(self) -> str:
        """The plain name of what it settles on, as a broker writes it; its own symbol where there is nothing else."""
        return self.symbol if self.instrument is None else underlying_of(self.instrument).name

    @property
    def engine_symbol(self) -> str | None:
        """The text under which the attribution engine reads the instrument; None: it cannot."""
        if self.instrument is None:
            return None
        return format_symbol(self.instrument) if isinstance(self.instrument, Equity | Index) else self.symbol


@lru_cache(maxsize=65536)
def contract_of(symbol: str, exchange: str | None = None) -> Contract:
    """Read a ledger's symbol; never an error, for a fill must be kept whatever its symbol looks like.

    Parameters
    ----------
    symbol
        ``SPXW230113P03965000`` (padded or not), ``NIFTY_OPT_20250130_CALL_23500``, ``AAPL``, ``BTC/USD``.
    exchange
        The home of names that do not say it; None: NSE for canonical symbols, US for bare tickers.
    """
    text = symbol.strip()
    instrument = _instrument_of(text, exchange)
    if instrument is None and " " in text:  # brokers pad OCC symbols to more than one width
        instrument = _instrument_of(text.replace(" ", ""), exchange)
    if instrument is None:
        return Contract(text, "CRYPTO" if "/" in text else "STOCK", _ONE, None)
    if isinstance(instrument, Option) and "_" not in text:
        text = format_occ(instrument)
    kind = next(name for base, name in _KINDS if isinstance(instrument, base))
    multiplier = EXACT.add(EXACT.normalize(Decimal(repr(instrument.multiplier))), _ZERO)
    return Contract(text, kind, multiplier, instrument)


def _instrument_of(text: str, exchange: str | None) -> Instrument | None:
    """The instrument a text names in any grammar, else the share of that name, else None."""
    try:
        return parse_symbol(text, exchange=exchange)
    except SymbolError:
        if "_" in text:
            return None
    try:
        return parse_underlying_name(text, exchange=exchange or PLAIN_EXCHANGE)
    except SymbolError:
        return None


def trade_date_of(contract: Contract, ts: int) -> date:
    """The session a fill at ``ts`` (UTC, ns) belongs to: that of its date in the exchange's zone, else the next one.

    What no calendar knows, a coin or an instant before the first known session, is dated by its UTC day.
    """
    instant = datetime.fromtimestamp(ts // 1_000_000_000, UTC)
    if contract.exchange is None:
        return instant.date()
    calendar = get_calendar(contract.exchange)
    try:
        return calendar.session_on_or_after(instant.astimezone(calendar.zone).date()).date
    except CalendarError:
        return instant.date()
