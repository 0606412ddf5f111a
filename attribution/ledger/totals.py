"""The SQL of a query, and exact totals by group from the pyramid."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from attribution.ledger.pyramid import EVER, Sums, periods_between
from attribution.ledger.query import GroupTotal, TradeLedgerQuery, check_groups

__all__ = ["group_totals", "page_sql", "where_sql"]

_ORDERS = {"timestamp": ("ts", "seq"), "symbol": ("symbol", "ts", "seq"), "strategy_name": ("strategies", "ts", "seq")}
_COLUMNS = {"strategy_name": "strategy"}
_SHARE = "account_id, strategy, symbol, asset_type, side, currency, "
_OF_TOTALS = _SHARE + "count, quantity, value, fees, fees_unknown"
_OF_PARTS = _SHARE + "1, quantity, value, coalesce(fees, '0'), fees IS NULL"
_PLACES = {"account_id": 0, "strategy_name": 1, "symbol": 2, "asset_type": 3, "side": 4, "currency": 5}


def where_sql(query: TradeLedgerQuery) -> tuple[str, str, list[Any]]:
    """The table that a query reads, its condition, and the values in it."""
    terms, values = _equalities(query)
    bounds = query.bounds
    for term, value in (("ts >= ?", bounds.first), ("ts <= ?", bounds.last)):
        if value is not None:
            terms.append(term)
            values.append(value)
    table = "fill" if query.strategy_name is None else "part"
    return table, " AND ".join(terms) or "1", values


def page_sql(query: TradeLedgerQuery) -> tuple[str, list[Any]]:
    """The statement that finds the numbers of a page's fills, in order."""
    table, where, values = where_sql(query)
    turn = "" if query.ascending else " DESC"
    order = ", ".join(f"{column}{turn}" for column in _ORDERS[query.order_by])
    limit = -1 if query.limit is None else query.limit
    return f"SELECT seq FROM {table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?", [*values, limit, query.offset]


def group_totals(connection: sqlite3.Connection, by: Sequence[str], query: TradeLedgerQuery) -> list[GroupTotal]:
    """Totals of the shares that a query lets through, by group and always by currency, in order of the groups."""
    names = check_groups(by)
    places = [*(_PLACES[name] for name in names), _PLACES["currency"]]
    groups: dict[tuple[str, ...], dict[str, Sums]] = {}
    for row in _rows(connection, query):
        key = tuple(row[place] for place in places)
        sides = groups.get(key)
        if sides is None:
            sides = groups[key] = {"BUY": Sums(), "SELL": Sums()}
        sides[row[4]].add(row[6], Decimal(row[7]), Decimal(row[8]), Decimal(row[9]), row[10])
    made = (
        _group_total(dict(zip(names, key[:-1], strict=True)), key[-1], sides) for key, sides in sorted(groups.items())
    )
    return [total for total in made if total.count]


def _group_total(group: dict[str, str], currency: str, sides: dict[str, Sums]) -> GroupTotal:
    buys, sells = sides["BUY"], sides["SELL"]
    fees = Sums()
    for side in (buys, sells):
        fees.add(side.count, Decimal(0), Decimal(0), side.fees, side.fees_unknown)
    values = (buys.quantity, sells.quantity, buys.value, sells.value, fees.fees)
    return GroupTotal(dict(group), currency, fees.count, *values, fees.fees_unknown)


def _rows(connection: sqlite3.Connection, query: TradeLedgerQuery) -> Iterator[tuple[Any, ...]]:
    """Rows of the pyramid that cover the query's dates, and single shares at the ends of the range."""
    terms, values = _equalities(query)
    bounds = query.bounds
    if bounds.first is None and bounds.last is None:
        yield from _cells(connection, [EVER], terms, values)
        return
    first, last = connection.execute("SELECT min(ts), max(ts) FROM part").fetchone()
    if first is None:
        return
    cover = periods_between(max(first, bounds.first or 0), last if bounds.last is None else min(last, bounds.last))
    yield from _cells(connection, cover.periods, terms, values)
    for piece in cover.pieces:
        where = " AND ".join([*terms, "ts BETWEEN ? AND ?"])
        yield from connection.execute(f"SELECT {_OF_PARTS} FROM part WHERE {where}", [*values, *piece])


def _cells(
    connection: sqlite3.Connection, periods: Sequence[str], terms: Sequence[str], values: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    where = " AND ".join(["period = ?", *terms])
    for period in periods:
        yield from connection.execute(f"SELECT {_OF_TOTALS} FROM total WHERE {where}", [period, *values])


def _equalities(query: TradeLedgerQuery) -> tuple[list[str], list[Any]]:
    filters = query.filters()
    return [f"{_COLUMNS.get(name, name)} = ?" for name in filters], list(filters.values())
