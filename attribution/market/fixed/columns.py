"""Prices by (symbol, exchange, time) as columns: what a data frame of prices becomes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import get_calendar, to_epoch_us
from attribution.calendars.instants import from_epoch_us
from attribution.fields import stamp
from attribution.instruments import Instrument
from attribution.kernels.asof import last_before_many
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf
from attribution.symbols import format_symbol

__all__ = ["PriceColumns"]


class PriceColumns:
    """Prices of many instruments, in order of time; the exact instant counts, else the last one shortly before.

    Parameters
    ----------
    series
        The canonical (symbol, exchange) of each series; exchange None where the symbol could not be read.
    first
        ``times_us[first[s]:first[s + 1]]`` belong to series ``s``, in strictly increasing order.
    times_us
        Instants. [UTC microseconds]
    prices
        [currency per unit]
    tolerance
        How much older than the instant asked an observation may be.
    name
        How messages call it.

    Marks and prices of underlyings may be as old as ``tolerance``; so may a close, which may also stand at the midnight
    of its date. A fill counts at its very instant only.
    """

    def __init__(
        self,
        series: Sequence[tuple[str, str | None]],
        first: NDArray[np.int64],
        times_us: NDArray[np.int64],
        prices: NDArray[np.float64],
        tolerance: timedelta,
        name: str = "spot_prices",
    ) -> None:
        self.name = name
        self._series = {key: number for number, key in enumerate(series)}
        self._first, self._times_us, self._prices = first, times_us, prices
        self._tolerance_us = tolerance // timedelta(microseconds=1)

    def number_of(self, instrument: Instrument) -> int:
        """Return the number of an instrument's series; −1 where there is none."""
        return self._series.get((format_symbol(instrument), instrument.exchange), -1)

    def fill_in(
        self,
        values: NDArray[np.float64],
        where: NDArray[np.bool_],
        number: NDArray[np.int64],
        at_us: NDArray[np.int64],
        instruments: Sequence[Instrument],
    ) -> None:
        """Write prices at instants into ``values`` at the places ``where``; what is not known stays as it is.

        ``number`` says which of ``instruments`` each place asks for.
        """
        own = np.array([*(self.number_of(instrument) for instrument in instruments), -1], np.int64)
        places = np.flatnonzero(where)
        found = self._look_up(own[number[places]], at_us[places])
        hit = found >= 0
        values[places[hit]] = self._prices[found[hit]]

    def _look_up(
        self, series: NDArray[np.int64], at_us: NDArray[np.int64], tolerance_us: int | None = None
    ) -> NDArray[np.int64]:
        """Positions of the observations that count; −1 where there is none, or it is NaN."""
        found = np.empty(series.size, np.int64)
        old = self._tolerance_us if tolerance_us is None else tolerance_us
        last_before_many(self._first, self._times_us, old, series, at_us, found)
        if not self._prices.size:
            return found
        return np.where(np.isnan(self._prices[found]), -1, found)

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants."""
        return self._answers([(ask.instrument, to_epoch_us(ask.at)) for ask in wanted])

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Current marks."""
        return self._answers([(ask.instrument, to_epoch_us(ask.now)) for ask in wanted])

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Leg fills: a price of exactly the instant of the fill."""
        return self._answers([(ask.instrument, to_epoch_us(ask.at)) for ask in wanted], tolerance_us=0)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Session closes: the price at the close, or of the midnight of the date."""
        return [self._close(ask) for ask in wanted]

    def _close(self, ask: CloseOf) -> Answer:
        session = get_calendar(ask.instrument.exchange).session_on(ask.session)
        if session is None:
            return Missing(f"{ask.instrument.exchange} has no session on {ask.session}")
        midnight = session.open.replace(hour=0, minute=0, second=0, microsecond=0)
        (daily,) = self._answers([(ask.instrument, to_epoch_us(midnight))], tolerance_us=0)
        answer = daily
        if isinstance(daily, Missing):
            (answer,) = self._answers([(ask.instrument, to_epoch_us(session.close))])
        if isinstance(answer, Missing):
            return Missing(f"no close of {format_symbol(ask.instrument)} on {ask.session}")
        return Price(answer.value, self.name, PriceKind.CLOSE, answer.time)

    def _answers(self, wanted: Sequence[tuple[Instrument, int]], tolerance_us: int | None = None) -> list[Answer]:
        series = np.array([self.number_of(instrument) for instrument, _ in wanted], np.int64)
        at_us = np.array([us for _, us in wanted], np.int64)
        found = self._look_up(series, at_us, tolerance_us).tolist()
        return [self._answer(*ask, place) for ask, place in zip(wanted, found, strict=True)]

    def _answer(self, instrument: Instrument, at_us: int, place: int) -> Answer:
        zone = get_calendar(instrument.exchange).zone
        if place < 0:
            return Missing(
                f"no price of {format_symbol(instrument)} at {stamp(from_epoch_us(at_us, zone))} or shortly before"
            )
        seen_us = int(self._times_us[place])
        kind = PriceKind.GIVEN if seen_us == at_us else PriceKind.LAST
        return Price(float(self._prices[place]), self.name, kind, from_epoch_us(seen_us, zone))
