"""The door of the kernels: any numbers in, arrays of the broadcast shape out.

Every argument may be a number, a list, or an array of any shape, order and numeric type; they broadcast
against each other by numpy's rules and are worked on as float64. Results have the broadcast shape; where
every argument is a single number they are numpy scalars, as a ufunc's would be. No argument is written to.

Beside the results, memory is needed for some thousand elements only: nothing that is broadcast or converted
is copied as a whole.

``out`` holds arrays to be filled and returned in place of new ones: of one result an array of the broadcast shape, of
several what an earlier call returned, which has them in one table. Fresh memory is handed out by the system page by
page, which takes a third of the time of a million greeks; a loop that reuses its results is spared that. An array
that cannot be filled as it is (of another shape or type, strided, read-only, shared with an argument) is a ValueError.

``threads`` is the most threads to share the work among; the results do not depend on it. The default is what
the environment variable ``ATTRIBUTION_THREADS`` said at the first call, else all cores that the process may
use; but for few elements, which are done sooner than a second thread would have woken up, it is 1: below
65,536 prices, 32,768 volatilities or sets of greeks, 8,192 legs.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence

from numpy.typing import ArrayLike

from attribution.kernels._columns import Columns, columns_of, read_columns
from attribution.kernels._run import Plan, run
from attribution.kernels._targets import (
    check_leg_table,
    column_for,
    empty_leg_table,
    greek_table_for,
    greeks_in,
    leg_table_for,
    legs_in,
    shaped,
)
from attribution.kernels.black import black_price_many
from attribution.kernels.block import LegInputs
from attribution.kernels.codes import Factor, Method
from attribution.kernels.decompose import DETAIL_ROWS, attribute_many
from attribution.kernels.greek_blocks import black_greeks_many
from attribution.kernels.implied_vol import implied_vol_many
from attribution.kernels.results import BlackGreeks, Floats, LegEffects, LegTable

__all__ = [
    "METHODS",
    "attribute_columns",
    "attribute_legs",
    "black_greeks",
    "black_price",
    "empty_leg_table",
    "implied_vol",
    "read_choices",
]

METHODS = {method.name.lower(): method for method in Method}
ORDERS = {
    tuple(factor.name.lower() for factor in order): tuple(int(factor) for factor in order)
    for order in itertools.permutations(Factor)
}

# Measured: sharing costs some 0.02 ms, a thread's waking up 0.05 ms; from ``pays_from`` on, the work takes
# at least 0.2 ms. Larger chunks no longer save time, and their intermediate results leave the cache.
PRICE_PLAN = Plan(chunk=49_152, pays_from=65_536)
GREEKS_PLAN = Plan(chunk=32_768, pays_from=32_768)
VOL_PLAN = Plan(chunk=32_768, pays_from=32_768)
LEGS_PLAN = Plan(chunk=8_192, pays_from=8_192)

PRICE_NAMES = ("forward", "strike", "time_to_expiry", "volatility", "right", "discount_factor")
VOL_NAMES = ("price", "forward", "strike", "time_to_expiry", "right", "discount_factor")
GREEKS_NAMES = ("spot", "strike", "time_to_expiry", "volatility", "right", "basis", "rate", "dividend_yield")
LEGS_NAMES = (
    *("right", "strike", "spot0", "price0", "time_to_expiry0", "spot1", "price1", "time_to_expiry1"),
    *("basis0", "basis1", "rate", "dividend_yield", "price_tick"),
)


def black_price(
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    volatility: ArrayLike,
    right: ArrayLike,
    discount_factor: ArrayLike = 1.0,
    *,
    out: Floats | None = None,
    threads: int | None = None,
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
    out
        An array to fill and return; None makes a new one. See :mod:`attribution.kernels.arrays`.
    threads
        The most threads to share the work among; see there.

    Returns
    -------
    Floats
        D (F Φ(d₁) − K Φ(d₂)) of a call, D (K Φ(−d₂) − F Φ(−d₁)) of a put, relative accuracy about 1e-14
        out of the money too. At T = 0 or σ = 0 the discounted intrinsic value. NaN where an argument is
        NaN, infinite or outside its domain.

    Raises
    ------
    ValueError
        If the shapes do not broadcast, an argument is not numeric, ``out`` cannot be filled, or ``threads`` is
        not allowed.

    Notes
    -----
    F. Black, "The pricing of commodity contracts", *Journal of Financial Economics* 3 (1976).
    """
    values = (forward, strike, time_to_expiry, volatility, right, discount_factor)
    columns = read_columns(PRICE_NAMES, values)
    price = column_for(out, columns)
    run(lambda inputs, first: black_price_many(*inputs, price, first), columns, PRICE_PLAN, threads)
    return shaped(price, columns.shape) if out is None else out


def implied_vol(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    right: ArrayLike,
    discount_factor: ArrayLike = 1.0,
    *,
    out: Floats | None = None,
    threads: int | None = None,
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
        If the shapes do not broadcast, an argument is not numeric, ``out`` cannot be filled, or ``threads`` is
        not allowed.

    Notes
    -----
    Objective function of P. Jäckel, "Let's be rational", *Wilmott* (2015).
    """
    columns = read_columns(VOL_NAMES, (price, forward, strike, time_to_expiry, right, discount_factor))
    volatility = column_for(out, columns)
    run(lambda inputs, first: implied_vol_many(*inputs, volatility, first), columns, VOL_PLAN, threads)
    return shaped(volatility, columns.shape) if out is None else out


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
    out: BlackGreeks | None = None,
    threads: int | None = None,
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
    out
        What an earlier call for as many options returned, to be filled and returned again.
    threads
        As for :func:`black_price`.

    Returns
    -------
    BlackGreeks
        Where σ√T = 0: the intrinsic value and its derivatives, all that hangs on volatility being 0;
        but NaN for every greek where the forward is then exactly on the strike, for there they do not
        exist. NaN where an argument is NaN, infinite or outside its domain.

    Raises
    ------
    ValueError
        If the shapes do not broadcast, an argument is not numeric, ``out`` cannot be filled, or ``threads`` is
        not allowed.

    Notes
    -----
    E. G. Haug, *The Complete Guide to Option Pricing Formulas*, 2nd edition, chapter 2.
    """
    values = (spot, strike, time_to_expiry, volatility, right, basis, rate, dividend_yield)
    columns = read_columns(GREEKS_NAMES, values)
    greeks = greek_table_for(out, columns)
    run(lambda inputs, first: black_greeks_many(*inputs, greeks, first), columns, GREEKS_PLAN, threads)
    return greeks_in(greeks, columns.shape) if out is None else out


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
    out: LegEffects | None = None,
    threads: int | None = None,
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
    out
        As for :func:`black_greeks`; with detail if, and only if, that is wanted.
    threads
        As for :func:`black_price`.

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
        If ``method``, ``order``, ``steps`` or ``threads`` is not one of the allowed, shapes do not
        broadcast, an argument is not numeric, or ``out`` cannot be filled.

    Notes
    -----
    Shapley: L. S. Shapley, "A value for n-person games" (1953), with the factors as the players.
    """
    choices = read_choices(method, order, steps)
    values = (
        *(right, strike, spot0, price0, time_to_expiry0, spot1, price1, time_to_expiry1),
        *(basis0, basis1, rate, dividend_yield, price_tick),
    )
    columns = read_columns(LEGS_NAMES, values)
    table = _attribute(columns, choices, leg_table_for(out, columns, detail=detail), threads)
    return legs_in(table, columns.shape, detail=detail) if out is None else out


def attribute_columns(
    columns: Floats | LegInputs,
    *,
    method: str = "waterfall",
    order: Sequence[str] = ("time", "spot", "spread", "vol"),
    steps: int = 16,
    detail: bool = False,
    threads: int | None = None,
    out: LegTable | None = None,
) -> LegTable:
    """:func:`attribute_legs` for the library's upper floors, which hold float64 columns already.

    Parameters
    ----------
    columns
        A contiguous float64 table (13, n) with rows in the order of :class:`LegInputs`; or as many
        contiguous float64 columns of one length n. Taken as they are, without conversion.
    method, order, steps, detail, threads
        As for :func:`attribute_legs`.
    out
        Tables to fill, from :func:`empty_leg_table`; None makes new ones.

    Returns
    -------
    LegTable
        ``out``, or new tables.

    Raises
    ------
    ValueError
        If an option is not one of the allowed, or lengths do not agree.
    """
    choices = read_choices(method, order, steps)
    lengths = {column.shape for column in columns}
    if len(columns) != len(LEGS_NAMES) or len(lengths) != 1:
        raise ValueError(f"columns: must be {len(LEGS_NAMES)} of one length, received {len(columns)}: {lengths}")
    read = columns_of(columns)
    if out is None:
        out = empty_leg_table(read.size, detail=detail)
    else:
        check_leg_table(out, read, detail=detail)
    return _attribute(read, choices, out, threads)


_Choices = tuple[int, tuple[int, ...], int]


def _attribute(columns: Columns, choices: _Choices, table: LegTable, threads: int | None) -> LegTable:
    method, order, steps = choices
    wants_detail = table.detail.shape == (DETAIL_ROWS, columns.size)

    def call(inputs: Sequence[Floats], first: int) -> None:
        attribute_many(LegInputs(*inputs), method, order, steps, wants_detail, *table, first)

    run(call, columns, LEGS_PLAN, threads)
    return table


def read_choices(method: str, order: Sequence[str], steps: int) -> _Choices:
    """Check what is to be computed and put it in the kernels' whole numbers; ValueError for what they do not know."""
    try:
        code = METHODS[method]
    except (KeyError, TypeError):
        raise ValueError(f"method={method!r}: must be one of {', '.join(METHODS)}") from None
    try:
        sequence = ORDERS[tuple(order)]
    except (KeyError, TypeError):
        names = ", ".join(factor.name.lower() for factor in Factor)
        raise ValueError(f"order={order!r}: must hold each of {names} once") from None
    try:
        count = operator.index(steps)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"steps={steps!r}: must be a whole number of at least 1")
    return int(code), sequence, count
