"""Any numbers in, arrays of the broadcast shape out, and nothing copied that need not be."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from attribution.kernels import (
    LegStatus,
    Method,
    _columns,
    arrays,
    attribute_legs,
    black_greeks,
    black_price,
    implied_vol,
    rows,
)
from attribution.kernels.block import LegInputs
from attribution.kernels.greek_blocks import GREEK_COUNT
from tests.kernels.memory import extra_memory

MANY = 50_001
LEG = (1, 100.0, 101.0, 4.0, 0.1, 102.0, 4.5, 0.09)


def strikes(size=MANY):
    return np.floor(np.random.default_rng(3).uniform(80.0, 120.0, size))


# Every kind of number, few and many


def unaligned(column):
    raw = np.zeros(column.nbytes + 1, np.uint8)
    odd = raw[1:].view(np.float64)
    odd[:] = column
    assert not odd.flags.aligned
    return odd


KINDS = {
    "int16": lambda column: column.astype(np.int16),
    "uint64": lambda column: column.astype(np.uint64),
    "float32": lambda column: column.astype(np.float32),
    "longdouble": lambda column: column.astype(np.longdouble),
    "big-endian": lambda column: column.astype(">f8"),
    "unaligned": unaligned,
    "strided": lambda column: np.repeat(column, 3)[::3],
    "reversed": lambda column: column[::-1].copy()[::-1],
    "list": lambda column: column.tolist(),
    "text of numbers": lambda column: column.astype(str),
    "objects": lambda column: column.astype(object),
    "series": pd.Series,
    "nullable series": lambda column: pd.Series(column, dtype="Float64"),
    "masked": np.ma.masked_array,
}


@pytest.mark.parametrize("size", [1, 100, MANY])
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_number_gives_the_same_bits(kind, size):
    column = strikes(size)
    plain = black_price(101.0, column, 0.1, 0.2, 1)
    given = KINDS[kind](column)
    for threads in (1, 2):
        assert np.array_equal(black_price(101.0, given, 0.1, 0.2, 1, threads=threads), plain)


@pytest.mark.parametrize(
    ("forward", "strike"),
    [
        ((300, 1), (1, 200)),
        ((300, 1), (200,)),
        ((3, 1), (50_000,)),
        ((2, 3, 1), (2, 1, 40_000)),
        ((1, 60_000), (60_000,)),
        ((60_000, 1), (1, 1)),
        ((), (3, 5, 4_001)),
        ((3, 1, 4_001), (5, 1)),
        ((1,), (60_000,)),
    ],
)
def test_many_elements_broadcast_as_few_do(forward, strike):
    random = np.random.default_rng(5)
    f, k = random.uniform(90.0, 110.0, forward), random.uniform(90.0, 110.0, strike)
    whole_f, whole_k = (np.ascontiguousarray(array) for array in np.broadcast_arrays(f, k))
    prices = black_price(f, k, 0.1, 0.2, 1, threads=2)
    assert prices.shape == whole_f.shape
    assert np.array_equal(prices, black_price(whole_f, whole_k, 0.1, 0.2, 1, threads=1))
    turned = black_price(whole_f.T, np.asfortranarray(whole_k).T, 0.1, 0.2, 1, threads=2)
    assert np.array_equal(turned, prices.T)


def test_arguments_stay_as_they_are():
    column = strikes()
    before = column.copy()
    black_price(101.0, column, 0.1, 0.2, 1)
    assert column.flags.writeable
    assert np.array_equal(column, before)


def test_results_belong_to_the_caller():
    for size in (1, 10, MANY):
        price = black_price(101.0, strikes(size), 0.1, 0.2, 1)
        price[:] = 0.0
        assert price.base is None or price.base.base is None


@pytest.mark.parametrize("number", [1, True, 1.0, np.float64(1.0), np.float32(1.0), np.int8(1), np.array(1)])
def test_numbers_in_numpy_scalars_out(number):
    effects = attribute_legs(number, *LEG[1:], detail=True)
    assert {type(value) for value in effects[:7]} == {type(value) for value in effects.detail} == {np.float64}
    assert type(effects.status) is type(effects.flags) is np.int64
    assert effects.status == LegStatus.OK
    assert type(black_price(101.0, 100.0, 0.1, 0.2, number)) is np.float64
    assert type(implied_vol(4.0, 101.0, 100.0, 0.1, number)) is np.float64
    assert {type(value) for value in black_greeks(101.0, 100.0, 0.1, 0.2, number)} == {np.float64}


@pytest.mark.parametrize("others", [100.0, [100.0, 101.0], np.full(5_000, 100.0)])
@pytest.mark.parametrize("wrong", ["abc", [[1.0], [1.0, 2.0]], 10**400, [10**400], {"a": 1}, object()])
def test_what_is_no_number_is_named(wrong, others):
    with pytest.raises(ValueError, match=r"strike=.*: must be numbers"):
        black_price(others, wrong, 0.1, 0.2, 1)


def test_a_missing_number_is_nan():
    column = pd.Series([100.0, None], dtype="Float64")
    assert np.array_equal(np.isnan(black_price(101.0, column, 0.1, 0.2, 1)), [False, True])
    assert np.isnan(black_price(101.0, None, 0.1, 0.2, 1))


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"forward\(2, 1\), right\(3,\), discount_factor\(4,\)"):
        black_price([[1.0], [2.0]], 1.0, 0.1, 0.2, [1, 1, 1], np.ones(4))


@pytest.mark.parametrize("order", [5, None, [["time"], "spot", "spread", "vol"], ("time", "spot")])
def test_a_wrong_order_is_named(order):
    with pytest.raises(ValueError, match=r"order=.*must hold each of spot, spread, vol, time once"):
        attribute_legs(*LEG, order=order)


@pytest.mark.parametrize("method", [None, ["waterfall"], "WATERFALL"])
def test_a_wrong_method_is_named(method):
    with pytest.raises(ValueError, match=r"method=.*must be one of waterfall, shapley"):
        attribute_legs(*LEG, method=method)


# Memory


LARGE = 500_000
MEGABYTE = 1e6


@pytest.mark.parametrize("threads", [1, 2])
def test_large_inputs_need_memory_for_a_chunk_only(threads):
    """A single column of them would be 4 MB, and a call has up to thirteen."""
    column = np.full(LARGE, 100.0)
    kinds = (column, np.repeat(column, 2)[::2], column.astype(np.float32), column.astype(np.int64))
    for spot in kinds:
        calls = [
            lambda spot=spot: black_price(spot, 100.0, 0.1, 0.2, 1, threads=threads),
            lambda spot=spot: implied_vol(4.0, spot, 100.0, 0.1, 1, threads=threads),
            lambda spot=spot: black_greeks(spot, 100.0, 0.1, 0.2, 1, threads=threads),
        ]
        for call in calls:
            assert extra_memory(call) < threads * 3.5 * MEGABYTE


@pytest.mark.parametrize("detail", [False, True])
def test_large_attributions_need_memory_for_a_chunk_only(detail):
    spot = np.full(100_000, 101.0, np.float32)
    assert extra_memory(lambda: attribute_legs(1, 100.0, spot, *LEG[3:], detail=detail, threads=1)) < 3.5 * MEGABYTE


def test_a_broadcast_grid_is_not_built():
    forward, strike = np.linspace(90.0, 110.0, 500)[:, None], np.linspace(90.0, 110.0, 1_000)
    assert extra_memory(lambda: black_price(forward, strike, 0.1, 0.2, 1, threads=1)) < 3.5 * MEGABYTE


def test_contiguous_columns_are_passed_as_they_are(monkeypatch):
    seen = []
    monkeypatch.setattr(arrays, "black_price_many", lambda *arguments: seen.append(arguments))
    forward, strike = np.full(MANY, 100.0), np.full((3, MANY // 3), 100.0).reshape(-1)
    assert MANY % 3 == 0
    for threads in (1, 3):
        black_price(forward, strike, 0.1, 0.2, 1, threads=threads)
    for *columns, price, first in seen:
        assert np.shares_memory(columns[0], forward[first:])
        assert np.shares_memory(columns[1], strike[first:])
        assert all(column.flags.c_contiguous and not column.flags.writeable for column in columns)
        assert price.size == MANY  # results are written where they are returned


def test_a_kernel_leaves_the_rest_of_a_result_alone():
    """Others may be writing there: chunks of one result are filled side by side."""
    count, first, size = 100, 7, 120
    columns = [_columns.locked(column) for column in np.full((13, count), 1.0)]
    price, vol, greeks = np.full(size, -7.0), np.full(size, -7.0), np.full((GREEK_COUNT, size), -7.0)
    arrays.black_price_many(*columns[:6], price, first)
    arrays.implied_vol_many(*columns[:6], vol, first)
    arrays.black_greeks_many(*columns[:8], greeks, first)
    table = arrays.empty_leg_table(size, detail=True)
    for part in table:
        part[...] = -7
    arrays.attribute_many(LegInputs(*columns), int(Method.SHAPLEY), (3, 0, 2, 1), 1, True, *table, first)
    outside = np.r_[:first, first + count : size]
    for part in (price, vol, greeks, *table):
        assert np.all(part[..., outside] == -7)
        assert not np.any(part[..., first : first + count] == -7)


def test_only_few_elements_are_copied_into_a_table():
    few = _columns.read_columns(["a", "b"], [np.ones(_columns.SMALL), 1.0])
    many = _columns.read_columns(["a", "b"], [np.ones(_columns.SMALL + 1), 1.0])
    assert not few.pending
    assert [index for index, _ in many.pending] == [1]


# The way in for the upper floors


@pytest.mark.parametrize("size", [0, 1, 300, MANY])
@pytest.mark.parametrize("detail", [False, True])
def test_columns_give_what_legs_give(size, detail):
    table = np.zeros((13, size))
    table[:8] = np.array(LEG)[:, None]
    table[1] = strikes(size)
    options = {"method": "shapley", "detail": detail}
    effects = attribute_legs(*table[:8], **options)
    for columns in (table, LegInputs(*table)):
        got = arrays.attribute_columns(columns, **options)
        assert np.array_equal(got.effects, effects[:7], equal_nan=True)
        assert np.array_equal(got.status, effects.status)
        assert np.array_equal(got.flags, effects.flags)
        assert np.array_equal(got.detail, effects.detail if detail else np.empty((28, 0)), equal_nan=True)


def test_tables_can_be_filled_again():
    table = np.zeros((13, 40))
    table[:8] = np.array(LEG)[:, None]
    out = arrays.empty_leg_table(40, detail=True)
    assert arrays.attribute_columns(table, out=out, detail=True) is out
    first = out.effects.copy()
    table[6] = 5.0
    arrays.attribute_columns(table, out=out, detail=True)
    assert not np.array_equal(first, out.effects)
    for wrong in ({"detail": False}, {"detail": True, "columns": table[:, :39].copy()}):
        with pytest.raises(ValueError, match=r"out\.\w+: must have the result's shape"):
            arrays.attribute_columns(**({"columns": table} | wrong), out=out)


def test_columns_must_be_thirteen_of_one_length():
    table = np.ones((13, 4))
    for wrong in (table[:12], LegInputs(*table[:12], np.ones(3))):
        with pytest.raises(ValueError, match="columns: must be 13 of one length"):
            arrays.attribute_columns(wrong)


@pytest.mark.parametrize("size", [1, 2, rows.FEW, rows.FEW + 1, 40])
@pytest.mark.parametrize("options", [{"method": "waterfall", "detail": False}, {"method": "path", "detail": True}])
def test_rows_give_what_columns_give(size, options):
    for price in (4.5, 0.2, np.nan, 5.1):  # tables that were used before remember nothing
        table = np.zeros((13, size))
        table[:8] = np.array(LEG)[:, None]
        table[1] = strikes(size)
        table[6, 0] = price
        expected = arrays.attribute_columns(table, order=("vol", "time", "spot", "spread"), steps=3, **options)
        got = rows.attribute_rows(table.T.tolist(), order=("vol", "time", "spot", "spread"), steps=3, **options)
        assert np.array_equal([leg.effects for leg in got], expected.effects.T, equal_nan=True)
        assert [leg.status for leg in got] == expected.status.tolist()
        assert [leg.flags for leg in got] == expected.flags.tolist()
        if options["detail"]:
            assert np.array_equal([leg.detail for leg in got], expected.detail.T, equal_nan=True)
        else:
            assert all(leg.detail is None for leg in got)


def test_threads_do_not_share_a_table_of_few_legs():
    def split(price):
        row = [*LEG[:6], price, LEG[7], 0.0, 0.0, 0.0, 0.0, 0.0]
        options = {"method": "waterfall", "order": ("time", "spot", "spread", "vol"), "steps": 1, "detail": False}
        return [rows.attribute_rows([row], **options)[0].effects for _ in range(300)]

    prices = [3.0 + 0.25 * number for number in range(8)]
    alone = {price: split(price)[0] for price in prices}
    with ThreadPoolExecutor(8) as pool:
        for price, found in zip(prices, pool.map(split, prices), strict=True):
            assert all(effects == alone[price] for effects in found)
