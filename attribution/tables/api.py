"""The calls over frames, below the public doors: arguments in, a frame out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT, to_epoch_us
from attribution.market.remembered import RememberedMarket, remembered
from attribution.market.source import Market
from attribution.model import Model
from attribution.tables.book import Book, read_book
from attribution.tables.engine import Looks, explain_book
from attribution.tables.frames import NativeFrame, TradeFrame, match_columns, read_frame
from attribution.tables.instants import one_instant
from attribution.tables.leg_results import LegRows
from attribution.tables.making import make_frame
from attribution.tables.results import TradeRows
from attribution.trade import LEG_FIELDS, OPTIONAL_FIELDS, REQUIRED_FIELDS

__all__ = ["Level", "attribute_frame", "check_keep"]

Level = Literal["trade", "leg"]

KNOWN = (*REQUIRED_FIELDS, *OPTIONAL_FIELDS, *LEG_FIELDS)


def attribute_frame(
    frame: NativeFrame,
    market: Market,
    model: Model,
    *,
    level: Level = "trade",
    columns: Mapping[str, str] | None = None,
    keep: Sequence[str] = (),
    current_time: object = None,
    day: bool = True,
    threads: int | None = None,
    raise_on_missing: bool = False,
    wall: datetime | None = None,
) -> NativeFrame:
    """Explain every row of a frame; see :func:`attribution.calculate_attribution_for_trades`.

    ``wall`` counts as now for trades that are open; None: the clock on the wall.
    """
    keep = check_keep(keep, level, detail=model.detail)
    source = read_trades(frame, columns, keep, level)
    book = read_book(source, model.clock)
    wall = wall or datetime.now(UTC)
    looks = Looks(np.arange(book.size, dtype=np.int64), _now(book, current_time, wall), day, current_time)
    return explain_looks(
        book,
        looks,
        market,
        model,
        level=level,
        keep=keep,
        threads=threads,
        raise_on_missing=raise_on_missing,
        wall=wall,
    )


def check_keep(keep: object, level: Level, *, detail: bool, tell_row: bool = False) -> tuple[str, ...]:
    """Return the names of the columns to keep; whether the trades have them is for :func:`read_trades` to tell.

    ``tell_row``: whether the results have the column ``row``.

    Raises
    ------
    ValueError
        It is no list of names, names one twice, or names one that the results have themselves: which of the two the
        column would then hold, nobody could tell.
    """
    if isinstance(keep, str | bytes) or not isinstance(keep, Iterable):
        raise ValueError(f"keep={keep!r}: must be a list of names of columns")
    names = tuple(keep)
    own = {*(LegRows if level == "leg" else TradeRows).names(detail=bool(detail)), *(("row",) if tell_row else ())}
    for place, name in enumerate(names):
        if name in own:
            raise ValueError(f"keep={name!r}: the results have a column of that name; rename that of the trades")
        if name in names[:place]:
            raise ValueError(f"keep={list(names)!r}: names {name!r} twice; name each once")
    return names


def read_trades(frame: NativeFrame, columns: Mapping[str, str] | None, keep: Sequence[str], level: Level) -> TradeFrame:
    """Read a frame's columns, and check what is asked of them."""
    if level not in ("trade", "leg"):
        raise ValueError(f"level={level!r}: must be 'trade' or 'leg'")
    data, lazy = read_frame(frame)
    for name in keep:
        if name not in data.columns:
            raise ValueError(f"keep={name!r}: the trades have no such column; they have {', '.join(data.columns)}")
    return TradeFrame(data, match_columns(data.columns, KNOWN, REQUIRED_FIELDS, columns), lazy)


def explain_looks(
    book: Book,
    looks: Looks,
    market: Market,
    model: Model,
    *,
    level: Level,
    keep: Sequence[str],
    threads: int | None,
    raise_on_missing: bool,
    wall: datetime,
    tell_row: bool = False,
) -> NativeFrame:
    """Explain looks at a book, and lay the results out as a frame of the caller's kind.

    ``tell_row`` adds the column ``row``, the place of each trade in the frame.
    """
    rows = TradeRows(book, looks.size, detail=model.detail) if level == "trade" else LegRows(book, detail=model.detail)
    explain_book(
        *(book, looks, _remembered(market), model, rows),
        threads=threads,
        raise_on_missing=raise_on_missing,
        wall=wall,
    )
    if isinstance(rows, TradeRows):
        made, look = rows.finish(looks), np.arange(looks.size, dtype=np.int64)
    else:
        made, look = rows.finish(looks)
    row = looks.row[look]
    return make_frame(book.frame, {"row": row, **made} if tell_row else made, row, keep)


def _remembered(market: Market) -> RememberedMarket:
    return market if isinstance(market, RememberedMarket) else remembered(market)


def _now(book: Book, current_time: object, wall: datetime) -> NDArray[np.int64]:
    """The instant from which each trade is looked at: ``current_time``, else its exit, else the wall's clock."""
    calendars = book.facts.calendars
    calendar = book.facts.keys["calendar"][book.key]
    given = np.array([one_instant("current_time", current_time, own) for own in calendars], np.int64)
    if not calendars or (given == NAT).all():
        now = np.where(book.exit_us == NAT, to_epoch_us(wall), book.exit_us)
    else:
        now = given[calendar]
    return np.where(book.odd, NAT, now)
