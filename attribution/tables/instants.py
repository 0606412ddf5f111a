"""Columns of times as UTC microseconds: each distinct text is read once, a naive time in the zone of its exchange."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT, ExchangeCalendar, day_table, to_epoch_us
from attribution.errors import TradeError
from attribution.tables.factors import combine, factorise
from attribution.tables.numbers import is_empty
from attribution.tables.plain_times import plain_column, plain_times
from attribution.trade import as_instant

__all__ = ["instants_of", "one_instant"]


def instants_of(
    field: str, series: Any, calendar: NDArray[np.int64], calendars: list[ExchangeCalendar]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the instants in a column, and which cells the row's own way must look at.

    Parameters
    ----------
    series
        A narwhals series of datetimes with or without a zone, dates, or texts and objects.
    calendar, calendars
        Per row the number of the calendar that a naive time is read by.

    Returns
    -------
    tuple
        UTC microseconds, :data:`NAT` for an empty cell; True where a cell holds no time, or one that falls on a day on
        which clocks change.

    Raises
    ------
    ValueError
        The column holds numbers, durations or lists.
    """
    import narwhals.stable.v2 as nw

    dtype = series.dtype
    if isinstance(dtype, nw.Datetime) or dtype == nw.Date:
        local_us = _microseconds(series)
        if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
            return local_us, np.zeros(local_us.size, np.bool_)
        return _from_local(local_us, calendar, calendars)
    if dtype in (nw.String, nw.Object, nw.Categorical, nw.Unknown) or isinstance(dtype, nw.Enum):
        return _from_cells(field, series, calendar, calendars)
    if is_empty(series):
        return np.full(len(series), NAT), np.zeros(len(series), np.bool_)
    raise ValueError(f"trades: column {series.name!r} ({field}) holds {dtype}; datetimes, dates or texts are needed")


def one_instant(field: str, value: object, calendar: ExchangeCalendar) -> int:
    """Return one instant of the caller's as UTC microseconds; :data:`NAT` where it is none."""
    instant = as_instant(field, value, calendar.name)
    return NAT if instant is None else to_epoch_us(instant)


def _microseconds(series: Any) -> NDArray[np.int64]:
    values = np.asarray(series.to_numpy())  # of a column with a zone: its times in UTC
    # Finer digits are dropped as a datetime drops them: towards the past.
    unit = np.datetime_data(values.dtype)[0]
    if unit == "ns":
        whole = values.view(np.int64)
        return np.where(whole == NAT, NAT, whole // 1000)
    return values.astype("datetime64[us]").view(np.int64)


def _from_local(
    local_us: NDArray[np.int64], calendar: NDArray[np.int64], calendars: list[ExchangeCalendar]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    absent = local_us == NAT
    if len(calendars) == 1:
        utc_us, told = day_table(calendars[0].name).to_utc(local_us)
        return utc_us, ~(told | absent)
    utc_us = np.full(local_us.size, NAT)
    odd = np.zeros(local_us.size, np.bool_)
    for number, own in enumerate(calendars):
        here = np.flatnonzero(calendar == number)
        utc_us[here], told = day_table(own.name).to_utc(local_us[here])
        odd[here] = ~(told | absent[here])
    return utc_us, odd


def _from_cells(
    field: str, series: Any, calendar: NDArray[np.int64], calendars: list[ExchangeCalendar]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Texts and objects as the single call reads them: plain ones all at once, of the others each distinct one once."""
    read = plain_column(series)
    if read is None:
        return _from_distinct(field, series, calendar, calendars)
    local_us, other = read
    told, odd = _from_local(local_us, calendar, calendars)
    rest = np.flatnonzero(other | odd)
    if rest.size:
        told[rest], odd[rest] = _from_distinct(field, series[rest], calendar[rest], calendars)
    return told, odd


def _from_distinct(
    field: str, series: Any, calendar: NDArray[np.int64], calendars: list[ExchangeCalendar]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    factor = factorise(series)
    values: list[object] = factor.values
    if len(calendars) == 1:
        number, exchanges = factor.codes, np.zeros(len(values), np.int64)
    else:
        number, (codes, exchanges) = combine([(factor.codes, len(values)), (calendar, len(calendars))])
        values = [None if code < 0 else values[code] for code in codes.tolist()]
    local_us = plain_times(values)
    told, odd = _from_local(local_us, exchanges, calendars)
    for place in np.flatnonzero(odd | (local_us == NAT)).tolist():
        us = _cell(field, values[place], calendars[exchanges[place]])
        told[place], odd[place] = (NAT, True) if us is None else (us, False)
    # One more for the empty cells, whose code is −1 and so the last.
    return np.append(told, NAT)[number], np.append(odd, False)[number]


def _cell(field: str, value: object, calendar: ExchangeCalendar) -> int | None:
    try:
        return one_instant(field, value, calendar)
    except TradeError:
        return None
