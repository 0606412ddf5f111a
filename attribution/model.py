"""How a call wants its trades explained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any

from attribution.calendars import CLOCK_NAMES
from attribution.kernels.arrays import read_choices

__all__ = ["Model", "check_model", "model_of"]


@dataclass(frozen=True, slots=True)
class Model:
    """How a call wants its legs explained; validated by the kernels' door."""

    method: str = "waterfall"
    order: tuple[str, ...] = ("time", "spot", "spread", "vol")
    steps: int = 16
    clock: str = "sessions"
    rate: float = 0.0
    dividend_yield: float = 0.0
    detail: bool = False
    price_tick: float = 0.0

    @property
    def carries(self) -> bool:
        """Whether a forward differs from S + b at all."""
        return self.rate != self.dividend_yield

    def growth(self, years: float) -> float:
        """``e^((r − q)T)``: the forward per unit of S + b; 1 where nothing is carried."""
        carry = self.rate - self.dividend_yield
        if carry == 0.0 or math.isnan(years):
            return 1.0
        exponent = carry * years
        return math.exp(exponent) if exponent < 700.0 else math.inf


def model_of(
    method: str,
    order: Sequence[str],
    steps: int,
    clock: str,
    rate: float,
    dividend_yield: float,
    detail: bool,
    price_tick: float,
) -> Model:
    """Return the model that a call's arguments make, checked once for all calls with the same arguments.

    Raises
    ------
    ValueError
        As :func:`check_model`.
    """
    choices = (method, tuple(order), steps, clock, rate, dividend_yield, detail, price_tick)
    try:
        return _checked(*choices)
    except TypeError:  # what cannot be remembered is not allowed either: told in the words of the check
        return check_model(Model(*choices))


# Types count: steps=True is 1 to a dict, and not allowed.
@lru_cache(maxsize=256, typed=True)
def _checked(*choices: Any) -> Model:
    return check_model(Model(*choices))


def check_model(model: Model) -> Model:
    """Return the model, or raise ``ValueError`` for what the kernels do not see."""
    for name in ("rate", "dividend_yield", "price_tick"):
        value = getattr(model, name)
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise ValueError(f"{name}={value!r}: must be a finite number")
    if model.price_tick < 0.0:
        raise ValueError(f"price_tick={model.price_tick!r}: must not be negative")
    read_choices(model.method, model.order, model.steps)
    if model.clock not in CLOCK_NAMES:
        raise ValueError(f"clock={model.clock!r}: must be one of {', '.join(map(repr, CLOCK_NAMES))}")
    return model
