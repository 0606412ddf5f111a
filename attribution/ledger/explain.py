"""The join: rows are strategies, columns are causes, and both add up to the account to the last unit.

Per strategy, instrument and session the P&L is taken from the exact book: the change of what was realised, of cost,
income and fees, plus the change of market value. The engine says what one unit did from each start to the mark at the
end, by cause, and that vector is multiplied by exact quantities:

* what was *carried* into the session, from the last mark to this one;
* what was *traded* in it, from the mid at the fill (or the price itself where no quote is on record) to the mark;
  mid − price, the edge, is ``spread``. Crosses are traded at their own price, the mid, and have none.

Fees, income, deliveries (exercise, assignment, expiry) and transfers between strategies (``corrections``) are columns
of their own. A corrected fill is explained from its own time on as if it had always been right, as the book counts it.
Vectors are floats: they enter quantised, and what is left between them and the exact P&L is the factor
``unexplained``. Where the engine has no vector, all of that P&L is unexplained, and the cell says why; where a mark is
missing, the P&L is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from attribution.ledger.entry import Entry
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import exact
from attribution.ledger.periods import Movement, Period, Place, Window, periods_of
from attribution.ledger.vectors import Vector, Vectors, unit_vectors
from attribution.market.given import LegPrices, SpotPrices, market_of
from attribution.market.source import Broker
from attribution.model import Model, check_model
from attribution.trade import as_instant

__all__ = ["CAUSES", "FACTORS", "Cell", "Check", "StrategyReport", "Window", "explain_strategies"]

CAUSES: Final = ("spot", "vol", "time", "spread")
"""What the engine tells apart."""

FACTORS: Final = (*CAUSES, "fees", "income", "delivery", "corrections", "unexplained")
"""All columns. They add up to the P&L; fees are negative."""

_ZERO: Final = Decimal(0)


class Entries(Protocol):
    """A log, as far as explaining needs it."""

    def entries(self) -> Iterator[Entry]:
        """Yield all entries in order."""
        ...


@dataclass(frozen=True, slots=True)
class Cell:
    """One strategy in one instrument over one session. [currency]

    ``pnl`` is net of fees, and None where a mark is missing. What the engine has no causes for is in ``unexplained``,
    and ``reasons`` say why; the causes are then those of the rest, and None where there is none. ``flags`` are the
    engine's and ``"no_quote"``: the edge of a fill without bid and ask is in the causes of its way to the mark.
    """

    session: date
    account_id: str
    strategy: str
    symbol: str
    currency: str
    pnl: Decimal | None
    factors: Mapping[str, Decimal | None]
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def is_partial(self) -> bool:
        """Whether the P&L is known, and what caused all of it is not."""
        return self.pnl is not None and bool(self.reasons)


@dataclass(frozen=True, slots=True)
class Check:
    """The account's own P&L, without strategies or causes: Δcash − Δcontributions + Δmarket value. [currency]"""

    cash: Decimal
    contributed: Decimal
    market_value: Decimal | None
    pnl: Decimal | None

    @property
    def account_pnl(self) -> Decimal | None:
        """What the account made; None where a mark is missing."""
        with exact():
            return None if self.market_value is None else self.cash - self.contributed + self.market_value

    @property
    def is_exact(self) -> bool:
        """Whether the cells add up to the account, with equality."""
        return self.pnl is not None and self.pnl == self.account_pnl


@dataclass(frozen=True, slots=True)
class StrategyReport:
    """All cells of a window, and the check against the account."""

    cells: tuple[Cell, ...]
    checks: Mapping[tuple[str, str], Check] = field(default_factory=dict)
    """By account and currency."""

    @property
    def check(self) -> Check:
        """The check of the one account and currency there is.

        Raises
        ------
        InvalidRecordError
            There are several: look into ``checks``.
        """
        if len(self.checks) > 1:
            raise InvalidRecordError("check", sorted(self.checks), "one account and currency; else see checks")
        return next(iter(self.checks.values()), Check(_ZERO, _ZERO, _ZERO, _ZERO))

    def by(self, *keys: str) -> list[dict[str, Any]]:
        """Totals by any of ``session, account_id, strategy, symbol, currency``; none: the grand total.

        Each row has the keys, every factor, ``pnl``, and ``count``, ``unknown`` (cells without P&L) and ``partial``
        (cells whose causes are not all known). A sum with an unknown P&L is None; so are its factors.

        Raises
        ------
        InvalidRecordError
            An unknown key; or there are several currencies, and ``currency`` is not among the keys.
        """
        for key in keys:
            if key not in ("session", "account_id", "strategy", "symbol", "currency"):
                raise InvalidRecordError("by", key, "session, account_id, strategy, symbol or currency")
        currencies = sorted({cell.currency for cell in self.cells})
        if len(currencies) > 1 and "currency" not in keys:
            raise InvalidRecordError("by", keys, f"'currency' among the keys: {', '.join(currencies)} have no sum")
        groups: dict[tuple[Any, ...], list[Cell]] = {} if keys else {(): []}
        for cell in self.cells:
            groups.setdefault(tuple(getattr(cell, key) for key in keys), []).append(cell)
        return [{**dict(zip(keys, key, strict=True)), **_sum(groups[key])} for key in sorted(groups)]

    def factors(self) -> tuple[str, ...]:
        """The columns that are not zero throughout, the four causes always."""
        moved = {name for cell in self.cells for name, value in cell.factors.items() if value}
        return tuple(name for name in FACTORS if name in CAUSES or name in moved)


def explain_strategies(
    ledger: Entries | Iterable[Entry],
    window: Window = None,
    prices: SpotPrices | None = None,
    broker: Broker | None = None,
    *,
    closes: Mapping[Any, Any] | None = None,
    leg_prices: LegPrices | None = None,
    current_time: datetime | None = None,
    method: str = "waterfall",
    order: Sequence[str] = ("time", "spot", "spread", "vol"),
    steps: int = 16,
    clock: str = "sessions",
    rate: float = 0.0,
    dividend_yield: float = 0.0,
    price_tick: float = 0.0,
    closing: str = "pro_rata",
    exchange: str | None = None,
) -> StrategyReport:
    """Split the P&L of every strategy, instrument and session by cause; exact by row and by column.

    Parameters
    ----------
    ledger
        A service, a log, or the entries themselves.
    window
        ``(first, last)`` session, one session, or None: from the first entry to the last one or ``current_time``.
    prices, broker, closes, leg_prices
        Who knows prices: as ``spot_prices``, ``broker``, ``historical_cache`` and ``leg_prices`` of
        :func:`attribution.calculate_attribution_for_trade`. Needed are the closes of what is held, the final
        settlement values, and the prices of the underlyings at closes and at fills.
    current_time
        The instant beyond which nothing is known, corrections included: the session in progress ends there, at the
        current mark. Without a zone it is read in that of ``exchange``, or the NSE's.
    method, order, steps, clock, rate, dividend_yield, price_tick
        As in :func:`attribution.calculate_attribution_for_trade`.
    closing
        The policy for fills without an allocation.
    exchange
        The home of symbols that do not say it.

    Raises
    ------
    ValueError
        An unknown method, order or clock.
    """
    model = check_model(Model(method, tuple(order), steps, clock, rate, dividend_yield, False, price_tick))
    current_time = as_instant("current_time", current_time, exchange or "NSE")
    log = getattr(ledger, "log", ledger)
    entries = log.entries() if hasattr(log, "entries") else iter(log)
    periods = periods_of(entries, window, closing, exchange, current_time)
    market = market_of(broker, prices, leg_prices, closes)
    vectors = unit_vectors(periods, market, model, current_time, exchange)
    return _report(periods, vectors)


# --- cells ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Known:
    """Amounts by factor as far as they are known, and what is missing of them."""

    amounts: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(FACTORS, _ZERO))
    reasons: dict[str, None] = field(default_factory=dict)
    flags: dict[str, None] = field(default_factory=dict)
    caused: bool = False
    """Whether the causes of any part are known."""

    def add(self, factor: str, amount: Decimal) -> None:
        self.amounts[factor] += amount

    def scale(self, vector: Vector, units: Decimal) -> None:
        """Add what ``units`` did, by cause."""
        self.flags |= dict.fromkeys(vector.flags)
        if vector.causes is None:
            self.reasons[vector.reason] = None
            return
        self.caused = True
        for cause, value in zip(CAUSES, vector.causes, strict=True):
            self.amounts[cause] += units * value


def _report(periods: Sequence[Period], vectors: Vectors) -> StrategyReport:
    cells: list[Cell] = []
    with exact():
        for period in periods:
            cells += [_cell(period, place, vectors) for place in period.places()]
        return StrategyReport(tuple(cells), _checks(periods, vectors, cells))


def _cell(period: Period, place: Place, vectors: Vectors) -> Cell:
    start, end = period.start.get(place), period.end.get(place)
    exposure0 = start.exposure if start is not None else _ZERO
    exposure1 = end.exposure if end is not None else _ZERO
    known = _Known()
    mark0, mark1 = vectors.mark_before(period, place.symbol), vectors.mark(period, place.symbol)
    pnl = _pnl(period, place, (exposure0, mark0), (exposure1, mark1), known)
    if exposure0:
        _carry(period, place, exposure0, (mark0, mark1), vectors, known)
    for movement in period.movements_of(place):
        _trade(movement, mark1, vectors, known)
    known.add("fees", -_fees(period, place))
    return _closed(period, place, pnl, known)


def _pnl(
    period: Period,
    place: Place,
    first: tuple[Decimal, Decimal | None],
    last: tuple[Decimal, Decimal | None],
    known: _Known,
) -> Decimal | None:
    """The change of the book's value and of the market value; None where a mark is missing."""
    total = period.value_change(place)
    for (exposure, mark), sign, when in ((first, -1, "before"), (last, 1, "at the end of")):
        if exposure and mark is None:
            known.reasons[f"no mark of {place.symbol} {when} {period.session}"] = None
            return None
        total += sign * exposure * (mark or _ZERO)
    return total


def _carry(
    period: Period,
    place: Place,
    exposure: Decimal,
    marks: tuple[Decimal | None, Decimal | None],
    vectors: Vectors,
    known: _Known,
) -> None:
    """What was held from the last mark to this one. A split share moves from its old units to the new ones."""
    change = period.split_change(place)
    if change is None:
        known.scale(vectors.carry(period, place.symbol), exposure)
    elif vectors.is_share(place.symbol) and marks[0] is not None and marks[1] is not None:
        known.caused = True
        known.add("spot", (exposure + change) * marks[1] - exposure * marks[0])
    else:
        known.reasons[f"{place.symbol} was split on {period.session}"] = None


def _trade(movement: Movement, mark: Decimal | None, vectors: Vectors, known: _Known) -> None:
    """What one movement did up to the mark, into the columns it belongs to."""
    if movement.column == "split":
        known.add("income", movement.value + movement.fees)  # cash in lieu; the units are in what was carried
        return
    if movement.column is not None:
        if movement.exposure and mark is None:
            known.reasons[f"no mark of {movement.place.symbol} at the end of {movement.session}"] = None
            return
        known.add(movement.column, movement.value + movement.fees + movement.exposure * (mark or _ZERO))
        return
    if movement.start is None:
        return
    known.add("spread", movement.value + movement.fees + movement.exposure * movement.start)
    if not movement.quoted:
        known.flags["no_quote"] = None
    known.scale(vectors.trade(movement), movement.exposure)


def _fees(period: Period, place: Place) -> Decimal:
    return sum((movement.fees for movement in period.movements_of(place)), _ZERO)


def _closed(period: Period, place: Place, pnl: Decimal | None, known: _Known) -> Cell:
    """What is left is unexplained; causes that are not known are None."""
    factors: dict[str, Decimal | None] = dict(known.amounts)
    if pnl is None or (known.reasons and not known.caused):
        factors |= dict.fromkeys(CAUSES)
    told = sum((value for value in factors.values() if value is not None), _ZERO)
    factors["unexplained"] = None if pnl is None else pnl - told
    if pnl is None:
        factors = {**dict.fromkeys(FACTORS), "fees": factors["fees"], "income": factors["income"]}
    keys = (period.session, place.account_id, place.strategy, place.symbol, place.currency)
    return Cell(*keys, pnl, factors, tuple(known.reasons), tuple(known.flags))


def _sum(cells: Sequence[Cell]) -> dict[str, Any]:
    """Add cells up; what is unknown in one is unknown in the sum, and counted."""
    unknown = sum(cell.pnl is None for cell in cells)
    with exact():
        totals: dict[str, Any] = {}
        for name in FACTORS:
            values = [cell.factors[name] for cell in cells]
            totals[name] = None if unknown else sum((value for value in values if value is not None), _ZERO)
        totals["pnl"] = None if unknown else sum((cell.pnl for cell in cells if cell.pnl is not None), _ZERO)
    partial = sum(cell.is_partial for cell in cells)
    return {**totals, "count": len(cells), "unknown": unknown, "partial": partial}


def _checks(periods: Sequence[Period], vectors: Vectors, cells: Sequence[Cell]) -> dict[tuple[str, str], Check]:
    """Per account and currency, from the account's sheets alone: cash, contributions and net positions."""
    checks: dict[tuple[str, str], Check] = {}
    if not periods:
        return checks
    first, last = periods[0], periods[-1]
    for key in sorted({(cell.account_id, cell.currency) for cell in cells}):
        own = [cell.pnl for cell in cells if (cell.account_id, cell.currency) == key]
        pnl = None if None in own else sum((value for value in own if value is not None), _ZERO)
        before, after = first.account_start.get(key), last.account_end.get(key)
        values = (
            _market_value({} if before is None else before.net, lambda symbol: vectors.mark_before(first, symbol)),
            _market_value({} if after is None else after.net, lambda symbol: vectors.mark(last, symbol)),
        )
        value = None if values[0] is None or values[1] is None else values[1] - values[0]
        cash = (after.cash if after else _ZERO) - (before.cash if before else _ZERO)
        contributed = (after.contributed if after else _ZERO) - (before.contributed if before else _ZERO)
        checks[key] = Check(cash, contributed, value, pnl)
    return checks


def _market_value(net: Mapping[str, Decimal], mark_of: Any) -> Decimal | None:
    total = _ZERO
    for symbol, exposure in net.items():
        if exposure:
            mark = mark_of(symbol)
            if mark is None:
                return None
            total += exposure * mark
    return total
