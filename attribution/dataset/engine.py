"""The function that every table goes through: the frame call, with the options of the run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, get_args

import pyarrow as pa

from attribution.dataset.columns import Choice
from attribution.dataset.options import describe
from attribution.dataset.work import TableFunction
from attribution.market.given import market_of
from attribution.market.source import Market
from attribution.model import Model, check_model
from attribution.once import once
from attribution.single import calculate_attribution_for_trades
from attribution.tables import Level, attribute_frame, check_keep, is_frame, price_frame

__all__ = ["described", "frame_function"]

_MODEL = tuple(item.name for item in fields(Model))
_PRICES = ("broker", "spot_prices", "leg_prices", "historical_cache")
_CALL = ("level", "columns", "keep", "current_time", "day", "threads", "raise_on_missing")


@dataclass(frozen=True)
class FrameCall:
    """The frame call under the options of a run; it can be sent to another process.

    ``now`` counts as now for trades that are open, in every call of the run and of those that resume it.
    """

    options: Mapping[str, Any]
    now: datetime

    def __call__(self, table: pa.Table) -> pa.Table:
        """Explain the trades of a table."""
        told = {name: self.options[name] for name in _CALL if name in self.options}
        told["columns"] = Choice(dict(self.options.get("columns") or {})).columns(table.column_names)
        return attribute_frame(table, self._market, self._model, wall=self.now, **told)

    @once
    def _model(self) -> Model:
        return model_of(self.options)

    @once
    def _market(self) -> Market:
        """Made once in each process, where the caller's prices are laid out for looking up."""
        prices = {name: self.options.get(name) for name in _PRICES}
        if is_frame(prices["spot_prices"]):
            prices["spot_prices"] = price_frame(prices["spot_prices"])
        return market_of(*prices.values())


def frame_function(options: Mapping[str, Any], now: datetime, threads: int | None) -> TableFunction:
    """Return the function from trades to results under these options."""
    return FrameCall({"threads": threads, **options}, now)


def model_of(options: Mapping[str, Any]) -> Model:
    """Read those of the options that say how trades are explained.

    Raises
    ------
    ValueError
        One of them is not what it may be.
    """
    told = {name: options[name] for name in _MODEL if name in options}
    if "order" in told:
        told["order"] = tuple(told["order"])
    return check_model(Model(**told))


def described(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest tells of the options.

    Raises
    ------
    TypeError
        There is no such option.
    ValueError
        One is not what it may be.
    """
    for name in options:
        if name not in (*_MODEL, *_PRICES, *_CALL):
            raise TypeError(f"attribute_dataset() got an unexpected keyword argument {name!r}")
    model = model_of(options)
    if options.get("level", "trade") not in get_args(Level):
        raise ValueError(f"level={options['level']!r}: must be one of {', '.join(map(repr, get_args(Level)))}")
    check_keep(options.get("keep", ()), options.get("level", "trade"), detail=model.detail)
    usual = inspect.signature(calculate_attribution_for_trades).parameters
    return describe(options, {name: usual[name].default for name in options})
