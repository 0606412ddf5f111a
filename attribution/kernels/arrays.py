"""The door of the kernels: any numbers in, arrays of the broadcast shape out.

Every argument may be a number, a list, or an array of any shape, order and numeric type; they broadcast
against each other by numpy's rules and are worked on as float64. Results have the broadcast shape; where
every argument is a single number they are numpy scalars, as a ufunc's would be. No argument is written to.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attribution.kernels.black import black_price_many
from attribution.kernels.block import LegInputs
from attribution.kernels.codes import Factor, Method
from attribution.kernels.decompose import DETAIL_ROWS, EFFECT_ROWS, attribute_many
from attribution.kernels.greeks import GREEK_COUNT, black_greeks_many
from attribution.kernels.implied_vol import implied_vol_many
from attribution.kernels.results import BlackGreeks, Floats, LegDetail, LegEffects

__all__ = [
    "METHODS",
    "attribute_legs",
    "black_greeks",
    "black_price",
    "implied_vol",
]

METHODS = {method.name.lower(): method for method in Method}
FACTOR_NAMES = {factor.name.lower(): factor for factor in Factor}


def _columns(**arguments: ArrayLike) -> tuple[tuple[int, ...], list[Floats]]:
    """Broadcast; return the common shape and the arguments as flat, contiguous, read-only float64.

    One layout for all, so that each kernel is compiled once.
    """
    arrays = {name: _as_float(name, value) for name, value in arguments.items()}
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name}{array.shape}" for name, array in arrays.items() if array.ndim)
        raise ValueError(f"shapes do not broadcast together: {shapes}") from None
    columns = []
    for array in arrays.values():
        column = np.ascontiguousarray(np.broadcast_to(array, shape)).reshape(-1).view()
        column.flags.writeable = False
        columns.append(column)
    return shape, columns


def _as_float(name: str, value: ArrayLike) -> Floats:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}={value!r}: must be numbers ({error})") from None


def _shaped(row: NDArray[Any], shape: tuple[int, ...]) -> Any:
    """Return one result in the broadcast shape; a numpy scalar where that shape is ()."""
    return row.reshape(shape)[()]


def black_price(
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    volatility: ArrayLike,
    right: ArrayLike,
    discount_factor: ArrayLike = 1.0,
) -> Floats:
    """Black (1976) price of European options. [currency per unit]

    All arguments broadcast; numbers in, a numpy scalar out.

    Parameters
    ----------
    forward, strike
        F and K, positive. [currency per unit]
    time_to_expiry
        T ≥ 0. [years]
    volatility
        σ ≥ 0; 0.20 is 20 %. [per √year]
    right
        +1 for a call, −1 for a put.
    discount_factor
        e^(−rT), positive.

    Returns
    -------
    Floats
        D (F Φ(d₁) − K Φ(d₂)) of a call, D (K Φ(−d₂) − F Φ(−d₁)) of a put, relative accuracy about 1e-14
        out of the money too. At T = 0 or σ = 0 the discounted intrinsic value. NaN where an argument is
        NaN, infinite or outside its domain.

    Raises
    ------
    ValueError
        If the shapes do not broadcast or an argument is not numeric.

    Notes
    -----
    F. Black, "The pricing of commodity contracts", *Journal of Financial Economics* 3 (1976).
    """
    shape, columns = _columns(
        forward=forward,
        strike=strike,
        time_to_expiry=time_to_expiry,
        volatility=volatility,
        right=right,
        discount_factor=discount_factor,
    )
    price = np.empty(math.prod(shape))
    black_price_many(*columns, price)
    return _shaped(price, shape)  # type: ignore[no-any-return]


def implied_vol(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    right: ArrayLike,
    discount_factor: ArrayLike = 1.0,
) -> Floats:
    """Volatility at which Black's formula gives ``price``; NaN where there is none. [per √year]

    All arguments broadcast; numbers in, a numpy scalar out. Arguments as for :func:`black_price`.

    Returns
    -------
    Floats
        σ to the accuracy that the price determines it to: a relative error of a few 1e-15 where the
        price is mostly time value. NaN at T = 0; where the price is at or below the discounted intrinsic
        value, or at or above its upper bound (D·F of a call, D·K of a put); and where an argument is
        NaN, infinite or outside its domain. A price of 0 is a price, and determines no volatility.

    Raises
    ------
    ValueError
        If the shapes do not broadcast or an argument is not numeric.

    Notes
    -----
    Objective function of P. Jäckel, "Let's be rational", *Wilmott* (2015).
    """
    shape, columns = _columns(
        price=price,
        forward=forward,
        strike=strike,
        time_to_expiry=time_to_expiry,
        right=right,
        discount_factor=discount_factor,
    )
    volatility = np.empty(math.prod(shape))
    implied_vol_many(*columns, volatility)
    return _shaped(volatility, shape)  # type: ignore[no-any-return]


def black_greeks(
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    volatility: ArrayLike,
    right: ArrayLike,
    *,
    basis: ArrayLike = 0.0,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
) -> BlackGreeks:
    """Price and nine greeks of European options, per 1.00 and per year. [currency per unit]

    V = e^(−rT) · Black(F, K, σ√T) with F = (S + b) e^((r − q) T). All arguments broadcast.

    Parameters
    ----------
    spot, basis, strike
        S, b and K with S + b > 0 and K > 0. [currency per unit]
    time_to_expiry, volatility, right
        As for :func:`black_price`.
    rate, dividend_yield
        r and q, continuously compounded. [per year]

    Returns
    -------
    BlackGreeks
        Where σ√T = 0: the intrinsic value and its derivatives, all that hangs on volatility being 0;
        but NaN for every greek where the forward is then exactly on the strike, for there they do not
        exist. NaN where an argument is NaN, infinite or outside its domain.

    Raises
    ------
    ValueError
        If the shapes do not broadcast or an argument is not numeric.

    Notes
    -----
    E. G. Haug, *The Complete Guide to Option Pricing Formulas*, 2nd edition, chapter 2.
    """
    shape, columns = _columns(
        spot=spot,
        strike=strike,
        time_to_expiry=time_to_expiry,
        volatility=volatility,
        right=right,
        basis=basis,
        rate=rate,
        dividend_yield=dividend_yield,
    )
    greeks = np.empty((GREEK_COUNT, math.prod(shape)))
    black_greeks_many(*columns, greeks)
    return BlackGreeks(*(_shaped(row, shape) for row in greeks))


def attribute_legs(
    right: ArrayLike,
    strike: ArrayLike,
    spot0: ArrayLike,
    price0: ArrayLike,
    time_to_expiry0: ArrayLike,
    spot1: ArrayLike,
    price1: ArrayLike,
    time_to_expiry1: ArrayLike,
    *,
    basis0: ArrayLike = 0.0,
    basis1: ArrayLike = 0.0,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
    method: str = "waterfall",
    order: Sequence[str] = ("time", "spot", "spread", "vol"),
    steps: int = 16,
    detail: bool = False,
    price_tick: ArrayLike = 0.0,
) -> LegEffects:
    """Split each leg's price change into spot, vol, time-decay and spread effects. [currency per unit]

    The observed prices at the two ends (0 and 1) imply the volatilities; the model then says what each
    factor's move was worth. Per unit of the leg: quantity and multiplier are the caller's.

    Parameters
    ----------
    right
        +1 call, −1 put, 0 a linear leg (stock, index, future) worth S + b.
    strike, time_to_expiry0, time_to_expiry1
        K > 0 [currency per unit] and T ≥ 0 [years]; not looked at for a linear leg. T may grow.
    spot0, spot1, basis0, basis1
        S and b, S + b > 0 for an option. An option's basis at T = 0 is taken as 0. [currency per unit]
    price0, price1
        Observed prices, ≥ 0 for an option. [currency per unit]
    rate, dividend_yield
        r and q, continuously compounded, constant over the window. [per year]
    method
        ``"waterfall"``, ``"shapley"``, ``"path"``, ``"one_at_a_time"`` or ``"taylor"``.
    order
        For the waterfall: the four factors, in the order in which they move.
    steps
        For the path: the number of sub-steps.
    detail
        Whether to fill ``LegEffects.detail``.
    price_tick
        A price whose time value is under half a tick, or that a vol point moves by less than a tick,
        determines no volatility. 0 turns the rule off. [currency per unit]

    Returns
    -------
    LegEffects
        ``spread`` is the effect of the basis plus the mark gap. Where an end determines no volatility
        (T = 0, a price at or beyond its bounds, the tick rule) it borrows the other end's, so that the
        vol effect is exactly 0, and the gap from model to observed price goes to ``spread``; where
        neither does, σ = 0 at both. A factor equal at both ends has effect exactly 0. NaN inputs give
        NaN effects and ``MISSING_INPUT``; impossible ones ``INVALID_INPUT``; Taylor without a start
        vol ``NO_START_VOL``.

    Raises
    ------
    ValueError
        If ``method``, ``order`` or ``steps`` is not one of the allowed, shapes do not broadcast, or an
        argument is not numeric.

    Notes
    -----
    Shapley: L. S. Shapley, "A value for n-person games" (1953), with the factors as the players.
    """
    chosen = _method_code(method)
    sequence = _order_codes(order)
    substeps = _step_count(steps)
    shape, columns = _columns(
        right=right,
        strike=strike,
        spot0=spot0,
        price0=price0,
        time_to_expiry0=time_to_expiry0,
        spot1=spot1,
        price1=price1,
        time_to_expiry1=time_to_expiry1,
        basis0=basis0,
        basis1=basis1,
        rate=rate,
        dividend_yield=dividend_yield,
        price_tick=price_tick,
    )
    size = math.prod(shape)
    results = np.empty((EFFECT_ROWS, size))
    parts = np.empty((DETAIL_ROWS, size if detail else 0))
    status = np.empty(size, np.int64)
    flags = np.empty(size, np.int64)
    attribute_many(LegInputs(*columns), chosen, sequence, substeps, bool(detail), results, parts, status, flags)
    spot, vol, timedecay, spread, residual, vol0, vol1 = (_shaped(row, shape) for row in results)
    return LegEffects(
        spot=spot,
        vol=vol,
        timedecay=timedecay,
        spread=spread,
        residual=residual,
        vol0=vol0,
        vol1=vol1,
        status=_shaped(status, shape),
        flags=_shaped(flags, shape),
        detail=LegDetail(*(_shaped(row, shape) for row in parts)) if detail else None,
    )


def _method_code(method: str) -> int:
    if method not in METHODS:
        raise ValueError(f"method={method!r}: must be one of {', '.join(METHODS)}")
    return int(METHODS[method])


def _order_codes(order: Sequence[str]) -> tuple[int, int, int, int]:
    names = tuple(order)
    if len(names) != len(FACTOR_NAMES) or set(names) != set(FACTOR_NAMES):
        raise ValueError(f"order={order!r}: must hold each of {', '.join(FACTOR_NAMES)} once")
    first, second, third, fourth = (int(FACTOR_NAMES[name]) for name in names)
    return first, second, third, fourth


def _step_count(steps: int) -> int:
    try:
        count = operator.index(steps)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"steps={steps!r}: must be a whole number of at least 1")
    return count
