"""Results written into the caller's arrays: the same bits, and nothing that cannot be filled is taken."""

import numpy as np
import pandas as pd
import pytest

from attribution.kernels import (
    BlackGreeks,
    LegDetail,
    LegEffects,
    _columns,
    attribute_legs,
    black_greeks,
    black_price,
    implied_vol,
)
from attribution.kernels.greek_blocks import GREEK_COUNT_WITHOUT_DECAY, black_greeks_many
from tests.kernels.memory import extra_memory

SIZES = [0, 1, 5, 1_024, 1_025, 40_003]
SEED = 11


def market(shape):
    random = np.random.default_rng(SEED)
    forward, strike = random.uniform(80.0, 120.0, (2, *shape))
    time, vol = random.uniform(0.05, 0.5, (2, *shape))
    vol[..., :1] = 0.0  # the careful path too
    return {"strike": strike, "right": random.choice([-1.0, 1.0], shape)}, forward, time, vol


def prices(shape, **options):
    same, forward, time, vol = market(shape)
    return black_price(forward=forward, time_to_expiry=time, volatility=vol, **same, **options)


def vols(shape, **options):
    same, forward, time, _ = market(shape)
    return implied_vol(price=prices(shape), forward=forward, time_to_expiry=time, **same, **options)


def greeks(shape, **options):
    same, forward, time, vol = market(shape)
    return black_greeks(spot=forward, time_to_expiry=time, volatility=vol, rate=0.02, **same, **options)


def legs(shape, **options):
    same, forward, time, _ = market(shape)
    first = prices(shape)
    ends = {"spot0": forward, "price0": first, "time_to_expiry0": time}
    ends |= {"spot1": forward + 0.5, "price1": first + 0.25, "time_to_expiry1": 0.9 * time}
    return attribute_legs(**same, **ends, method="shapley", **options)


def detailed_legs(shape, **options):
    return legs(shape, detail=True, **options)


ALL = [prices, vols, greeks, legs, detailed_legs]
TABLES = ALL[2:]


def arrays_of(result):
    if isinstance(result, np.ndarray):
        return [result]
    return [array for part in result if part is not None for array in arrays_of(part)]


def same_bits(one, other):
    return [array.tobytes() for array in arrays_of(one)] == [array.tobytes() for array in arrays_of(other)]


def soiled(result):
    """The arrays of a result, holding something else."""
    for array in arrays_of(result):
        array[...] = -7
    return result


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [*((size,) for size in SIZES), (3, 4), (5, 1, 6_007)])
def test_what_is_filled_holds_the_bits_that_new_arrays_would(call, shape, threads):
    expected, out = call(shape, threads=threads), soiled(call(shape))
    given = arrays_of(out)
    assert call(shape, threads=threads, out=out) is out
    assert all(now is then for now, then in zip(arrays_of(out), given, strict=True))
    assert same_bits(out, expected)


@pytest.mark.parametrize("call", ALL)
def test_new_results_share_nothing_with_old_ones(call):
    first, second = call((100,)), call((100,))
    assert not any(np.shares_memory(a, b) for a, b in zip(arrays_of(first), arrays_of(second), strict=True))


def test_one_number_fits_an_array_of_no_axes():
    assert black_price(100.0, 101.0, 0.1, 0.2, 1, out=(out := np.empty(()))) is out
    assert out == black_price(100.0, 101.0, 0.1, 0.2, 1)
    with pytest.raises(ValueError, match="out: must be a numpy array, received float64"):
        black_price(100.0, 101.0, 0.1, 0.2, 1, out=black_price(100.0, 101.0, 0.1, 0.2, 1))
    with pytest.raises(ValueError, match=r"out\.price: must be a numpy array, received float64"):
        black_greeks(100.0, 101.0, 0.1, 0.2, 1, out=black_greeks(100.0, 101.0, 0.1, 0.2, 1))


def test_filling_needs_no_memory_for_results():
    size = 1_000_000
    spot, price, result = np.full(size, 101.0), np.empty(size), black_greeks(np.full(size, 101.0), 100.0, 0.1, 0.2, 1)
    for call in (
        lambda: black_price(spot, 100.0, 0.1, 0.2, 1, out=price, threads=1),
        lambda: black_greeks(spot, 100.0, 0.1, 0.2, 1, out=result, threads=1),
    ):
        assert extra_memory(call) < 0.5 * size * 8


def test_rows_of_any_contiguous_table_will_do():
    """A caller may keep results wherever such tables lie: in shared memory, in a file."""
    table = np.full((12, 2_000), -7.0)
    out = BlackGreeks(*table[1:11])
    assert same_bits(greeks((2_000,), out=out), greeks((2_000,)))
    assert np.all(table[[0, 11]] == -7.0)


def test_a_file_in_memory_can_be_filled(tmp_path):
    out = np.memmap(tmp_path / "prices", np.float64, "w+", shape=(5_000,))
    assert prices((5_000,), out=out) is out
    assert same_bits(np.asarray(out), prices((5_000,)))


# What cannot be filled is named


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda n: [0.0] * n, "must be a numpy array, received list"),
        (lambda n: pd.Series(np.empty(n)), "must be a numpy array, received Series"),
        (lambda n: np.empty(n + 1), "must have the result's shape"),
        (lambda n: np.empty((n, 1)), "must have the result's shape"),
        (lambda n: np.empty(n, np.float32), "must be float64, received float32"),
        (lambda n: np.empty(n, ">f8"), "must be float64, received >f8"),
        (lambda n: np.empty(2 * n)[::2], "must be contiguous"),
        (lambda n: np.empty(n)[::-1], "must be contiguous"),
        (lambda n: np.empty(8 * n + 1, np.uint8)[1:].view(np.float64), "must be contiguous"),
        (lambda n: read_only(np.empty(n)), "is read-only"),
    ],
)
@pytest.mark.parametrize("size", [3, 2_000])
def test_an_array_that_cannot_be_filled(wrong, told, size):
    array = wrong(size)
    for call in (prices, vols):
        with pytest.raises(ValueError, match=f"out: {told}"):
            call((size,), out=array)
    result = greeks((size,))
    with pytest.raises(ValueError, match=f"out.rho: {told}"):
        greeks((size,), out=result._replace(rho=array))
    effects = detailed_legs((size,))
    with pytest.raises(ValueError, match=f"out.vol0: {told}"):
        detailed_legs((size,), out=effects._replace(vol0=array))
    with pytest.raises(ValueError, match=f"out.detail.basis: {told}"):
        detailed_legs((size,), out=effects._replace(detail=effects.detail._replace(basis=array)))


@pytest.mark.parametrize("call", TABLES)
def test_several_results_stand_in_the_table_of_an_earlier_call(call):
    out = call((50,))
    apart = type(out)._make([part.copy() if isinstance(part, np.ndarray) else part for part in out])
    with pytest.raises(ValueError, match=r"out\.\w+: does not follow the array before it in memory"):
        call((50,), out=apart)
    swapped = out._replace(**{out._fields[1]: out[2], out._fields[2]: out[1]})
    with pytest.raises(ValueError, match=rf"out\.{out._fields[1]}: does not follow"):
        call((50,), out=swapped)
    for wrong in (tuple(out), np.empty((10, 50)), prices((50,)), None if call is greeks else greeks((50,))):
        if wrong is not None:
            with pytest.raises(ValueError, match="out: must be what an earlier call returned"):
                call((50,), out=wrong)


def test_codes_are_whole_numbers():
    out = legs((50,))
    for name in ("status", "flags"):
        with pytest.raises(ValueError, match=f"out.{name}: must be int64, received float64"):
            legs((50,), out=out._replace(**{name: np.empty(50)}))


def test_details_are_filled_where_they_are_wanted():
    with pytest.raises(ValueError, match="earlier call with detail=True"):
        detailed_legs((50,), out=legs((50,)))
    with pytest.raises(ValueError, match="earlier call with detail=False"):
        legs((50,), out=detailed_legs((50,)))
    assert isinstance(detailed_legs((50,)), LegEffects)
    assert isinstance(detailed_legs((50,)).detail, LegDetail)


@pytest.mark.parametrize("size", [3, 2_000])
def test_results_are_not_written_over_arguments(size):
    """Not even over those that a call of few would have copied: what works for ten must work for a million."""
    same, forward, time, vol = market((size,))
    call = {"forward": forward, "time_to_expiry": time, "volatility": vol, **same}
    for name, array in call.items():
        before = array.copy()
        with pytest.raises(ValueError, match=f"out: shares memory with {name}"):
            black_price(**call, out=array)
        assert np.array_equal(array, before)
    with pytest.raises(ValueError, match="out: shares memory with volatility"):
        black_price(**(call | {"volatility": pd.Series(vol, copy=False)}), out=vol)
    room = np.empty(size + 1)
    room[:-1] = vol
    with pytest.raises(ValueError, match="out: shares memory with volatility"):
        black_price(**(call | {"volatility": room[:-1]}), out=room[1:])
    result = greeks((size,))
    with pytest.raises(ValueError, match="out: shares memory with spot"):
        black_greeks(result.veta, 100.0, 0.1, 0.2, 1, out=result)
    effects = legs((size,))
    with pytest.raises(ValueError, match="out: shares memory with price1"):
        attribute_legs(1, 100.0, 101.0, 4.0, 0.1, 102.0, effects.vol1, 0.09, out=effects)
    with pytest.raises(ValueError, match="out: shares memory with right"):
        attribute_legs(effects.flags, 100.0, 101.0, 4.0, 0.1, 102.0, 5.0, 0.09, out=effects)


def test_neighbours_in_one_table_are_apart():
    """Columns of one table and a result in its last row: beside each other, not on each other."""
    table = np.empty((6, 3_000))
    same, table[0], table[1], table[2] = market((3_000,))
    table[3], table[4] = same["strike"], same["right"]
    forward, time, vol, strike, right, room = table
    black_price(forward, strike, time, vol, right, out=room)
    assert same_bits(room, prices((3_000,)))


@pytest.mark.parametrize("size", [5, 512, 3_001])
def test_the_kernel_leaves_out_rows_that_there_is_no_room_for(size):
    same, forward, time, vol = market((size,))
    columns = [_columns.locked(column) for column in (forward, same["strike"], time, vol, same["right"])]
    columns += [_columns.locked(np.full(size, rate)) for rate in (0.0, 0.02, 0.0)]
    table = np.empty((GREEK_COUNT_WITHOUT_DECAY, size))
    black_greeks_many(*columns, table, 0)
    assert same_bits(table, np.stack(greeks((size,))[:GREEK_COUNT_WITHOUT_DECAY]))
