"""How a call wants its trades explained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from attribution.calendars import CLOCK_NAMES
from attribution.kernels.arrays import read_choices

__all__ = ["Model", "check_model"]


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

    def growth(self, years: float) -> float:
        """``e^((r − q)T)``: the forward per unit of S + b; 1 where nothing is carried."""
        carry = self.rate - self.dividend_yield
        if carry == 0.0 or math.isnan(years):
            return 1.0
        exponent = carry * years
        return math.exp(exponent) if exponent < 700.0 else math.inf


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
