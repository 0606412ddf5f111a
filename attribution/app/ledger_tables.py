"""Rows of the ledger for the terminal, for CSV and for JSON; amounts keep every digit outside of tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from attribution.app.output import Format
from attribution.ledger.canonical import decimal_text
from attribution.ledger.view import TradeLedgerEntry
from attribution.report.figures import UNKNOWN

__all__ = ["currency_shown", "fill_row", "money", "number", "render_rows", "rows_text"]

Row = Mapping[str, Any]


def number(value: Decimal | None) -> str:
    """A quantity or a price with thousands separators and all its decimals."""
    return UNKNOWN if value is None else f"{Decimal(decimal_text(value)):,f}"


def money(value: Decimal | None) -> str:
    """An amount to the cent; the data formats have all of its digits. [currency]"""
    if value is None:
        return UNKNOWN
    text = f"{value:,.2f}"
    return "0.00" if text == "-0.00" else text


def render_rows(
    rows: Sequence[Row],
    form: Format,
    shown: Mapping[str, str],
    *,
    title: str | None = None,
    total: Row | None = None,
) -> str | list[RenderableType]:
    """Rows in a format.

    Parameters
    ----------
    shown
        For the table: name in a row → how it is written: ``"text"``, ``"number"`` or ``"money"``.
    total
        A last line for the table.
    """
    if form is not Format.TABLE:
        return rows_text(rows, form)
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for name, kind in shown.items():
        left = kind == "text"
        table.add_column(name.replace("_", " "), justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name), kind) for name, kind in shown.items()))
    if total is not None:
        table.add_row(*(_cell(total.get(name, ""), kind) for name, kind in shown.items()), style="bold")
    return [table]


def rows_text(rows: Sequence[Row], form: Format) -> str:
    """Rows as CSV or JSON: amounts as plain decimals, what is not known empty or null."""
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    if form is Format.JSON:
        return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in plain for name in row))
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _csv_cell(value) for name, value in row.items()} for row in plain)
    return text.getvalue()


def currency_shown(rows: Sequence[Row]) -> dict[str, str]:
    """The column that tells currencies apart, for the table, where there are several."""
    return {"currency": "text"} if len({row["currency"] for row in rows}) > 1 else {}


def fill_row(fill: TradeLedgerEntry) -> dict[str, Any]:
    """A fill as a row; whose it is in one cell."""
    shares = ", ".join(f"{name} {number(quantity)}" for name, quantity in sorted(fill.strategy_quantities.items()))
    return {
        "seq": fill.seq,
        "time": fill.timestamp.strftime("%Y-%m-%d %H:%M:%S"),
        "account_id": fill.account_id,
        "symbol": fill.symbol,
        "side": fill.direction,
        "quantity": fill.filled_qty,
        "price": fill.fill_price,
        "fees": fill.fees,
        "currency": fill.currency,
        "strategies": shares,
        "policy": fill.policy,
        "order_id": fill.order_id,
        "fill_id": fill.fill_id,
        "correlation_id": fill.correlation_id,
    }


def _cell(value: object, kind: str) -> Text:
    if isinstance(value, Decimal) or (value is None and kind != "text"):
        write = money if kind == "money" else number
        style = "yellow" if value is None else "red" if value < 0 and kind == "money" else ""
        return Text(write(value), style=style)
    return Text("" if value is None else str(value))


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _csv_cell(value: object) -> object:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else value
