"""Work shared among threads: the same bits for any number of them, and no way to hang."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from attribution.kernels import _run, _threads, arrays, attribute_legs, black_greeks, black_price, implied_vol
from attribution.kernels._columns import SMALL
from attribution.kernels.lanes import LANES

REPOSITORY = Path(__file__).resolve().parents[2]
SIZES = [SMALL + 1, 4_096, 20_011, 70_001]


def market(size):
    random = np.random.default_rng(7)
    table = random.uniform(0.8, 1.2, (size, 6)) * [100.0, 100.0, 0.5, 0.2, 101.0, 0.3]
    forward, strike, time, vol, moved, _ = table.T  # strided columns
    right = random.choice([-1, 1], size).astype(np.int8)
    return forward, np.ascontiguousarray(strike), time, vol, right, moved


def results(size, threads):
    forward, strike, time, vol, right, moved = market(size)
    price = black_price(forward, strike, time, vol, right, threads=threads)
    later = black_price(moved, strike, time - 0.01, vol + 0.01, right, 0.99, threads=threads)
    legs = (right, strike, forward, price, time, moved, later, time - 0.01)
    effects = attribute_legs(*legs, rate=0.01, method="shapley", detail=True, threads=threads)
    return [
        price,
        implied_vol(price, forward, strike, time, right, threads=threads),
        *black_greeks(forward, strike, time, vol, right, rate=0.02, threads=threads),
        *effects[:-1],
        *effects.detail,
    ]


@pytest.mark.parametrize("size", SIZES)
def test_the_same_bits_for_any_number_of_threads(size):
    alone = results(size, 1)
    for threads in (2, 3, 7, None):
        for mine, theirs in zip(alone, results(size, threads), strict=True):
            assert mine.tobytes() == theirs.tobytes(), threads


def test_the_same_bits_as_in_one_piece():
    """Contiguous columns and one thread: the kernel is called once, and nothing is cut."""
    size = 70_001
    forward, strike, time, vol, right, _ = (np.array(column, np.float64) for column in market(size))
    whole = black_greeks(forward, strike, time, vol, right, basis=np.zeros(size), rate=0.0 * time, threads=1)
    for threads in (1, 3):
        for mine, theirs in zip(whole, black_greeks(forward, strike, time, vol, right, threads=threads), strict=True):
            assert mine.tobytes() == theirs.tobytes()


# Who is asked to help


@pytest.fixture
def asked(monkeypatch):
    """Helpers asked for by each call that was shared out."""
    counts = []
    real = _threads._helpers
    monkeypatch.setattr(_threads, "_helpers", lambda work, count: counts.append(count) or real(work, count))
    return counts


@pytest.fixture
def variable(monkeypatch):
    """Sets the environment variable, which is otherwise read once."""

    def put(text):
        monkeypatch.setenv(_threads.VARIABLE, text)
        _threads.default_threads.cache_clear()

    yield put
    monkeypatch.undo()
    _threads.default_threads.cache_clear()


def price_of(size, **options):
    return black_price(np.full(size, 100.0), 100.0, 1.0, 0.2, 1, **options)


def test_small_inputs_are_not_shared(asked, variable):
    variable("3")
    price_of(arrays.PRICE_PLAN.pays_from - 1)
    assert sum(asked) == 0
    price_of(arrays.PRICE_PLAN.pays_from)
    assert sum(asked) == 2


def test_the_variable_is_the_default_only(asked, variable):
    variable("5")
    price_of(200_000, threads=2)
    assert asked == [1]


def test_an_empty_variable_means_all_cores(variable):
    variable(" ")
    assert _threads.default_threads() == _threads.available_cores() >= 1


@pytest.mark.parametrize("text", ["0", "-2", "1.5", "many", "²"])
def test_a_wrong_variable_is_named_whatever_the_size(variable, text):
    variable(text)
    for size in (1, 100_000):
        with pytest.raises(ValueError, match=f"ATTRIBUTION_THREADS='{text}': must be a whole number of at least 1"):
            price_of(size)
    assert price_of(2, threads=1)[0] > 0.0


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", np.nan])
def test_a_wrong_count_is_named(threads):
    call = {"right": 1, "strike": 100.0, "threads": threads}
    message = "threads=.*: must be a whole number of at least 1, or None"
    with pytest.raises(ValueError, match=message):
        black_price(forward=100.0, time_to_expiry=1.0, volatility=0.2, **call)
    with pytest.raises(ValueError, match=message):
        implied_vol(price=4.0, forward=100.0, time_to_expiry=1.0, **call)
    with pytest.raises(ValueError, match=message):
        black_greeks(spot=100.0, time_to_expiry=1.0, volatility=0.2, **call)
    with pytest.raises(ValueError, match=message):
        attribute_legs(1, 100.0, 100.0, 4.0, 1.0, 100.0, 4.0, 1.0, threads=threads)


def test_numpy_whole_numbers_are_whole_numbers():
    assert np.all(price_of(5_000, threads=np.int16(2)) == price_of(1, threads=1))


# Many callers


def test_many_threads_call_at_once():
    alone = price_of(100_000, threads=1)
    with ThreadPoolExecutor(8) as callers:
        together = list(callers.map(lambda _: price_of(100_000, threads=3), range(40)))
    assert all(np.array_equal(alone, prices) for prices in together)


def test_a_daemon_thread_may_call():
    got = []
    caller = threading.Thread(target=lambda: got.append(price_of(100_000, threads=2)), daemon=True)
    caller.start()
    caller.join(60.0)
    assert len(got) == 1


# The sharing itself


def spans(size, chunk, threads):
    done = []
    bounds = [*range(0, size, chunk), size]
    _threads.share_out(lambda: lambda start, stop: done.append((start, stop)), bounds, threads)
    return sorted(done)


@pytest.mark.parametrize("threads", [1, 2, 9])
def test_every_element_is_worked_on_once(threads):
    assert spans(10, 4, threads) == [(0, 4), (4, 8), (8, 10)]
    assert spans(0, 4, threads) == []
    assert len(spans(1_000_003, 7, threads)) == 142_858


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("size", [1, 1_025, 3_000, 32_768, 65_537, 1_000_000])
def test_chunks_are_whole_blocks_and_the_last_are_small(size, threads):
    chunk = 16_384
    bounds = _run.cut(size, chunk, threads)
    lengths = np.diff(bounds)
    assert (bounds[0], bounds[-1]) == (0, size)
    assert np.all(lengths[:-1] % LANES == 0)
    assert lengths[0] == lengths.max() <= chunk
    if threads == 1:
        assert len(lengths) == -(-size // chunk)
    else:
        assert lengths[-1] <= max(chunk // 4, LANES)
        assert len(lengths) >= min(threads, -(-size // LANES), 4)


def test_a_worker_may_share_out_work_itself():
    """Also when every helper is busy doing just that."""
    done = []

    def outer(start, _stop):
        inner = []
        _threads.share_out(lambda: lambda first, last: inner.append(last - first), [*range(0, 50, 3), 50], 4)
        done.append((start, sum(inner)))

    _threads.share_out(lambda: outer, range(401), 100)
    assert sorted(done) == [(start, 50) for start in range(400)]


def test_work_gets_done_without_helpers(monkeypatch):
    class Closed:
        def submit(self, _work):
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(_threads, "_pool", Closed())
    assert spans(10, 4, 3) == [(0, 4), (4, 8), (8, 10)]


def test_an_error_of_a_helper_reaches_the_caller():
    barrier = threading.Barrier(2)
    home = threading.get_ident()

    def span(_start, _stop):
        if threading.get_ident() == home:
            barrier.wait(60.0)
        else:
            barrier.wait(60.0)
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        _threads.share_out(lambda: span, range(3), 2)


def test_after_an_interrupt_no_one_begins_another_chunk():
    home = threading.get_ident()
    begun, broken = [], threading.Event()

    def span(start, _stop):
        begun.append(start)
        if threading.get_ident() == home:
            broken.set()
            raise KeyboardInterrupt
        broken.wait(60.0)

    with pytest.raises(KeyboardInterrupt):
        _threads.share_out(lambda: span, range(1_000_001), 3)
    count = len(begun)
    assert count < 1_000_000
    time.sleep(0.05)
    assert len(begun) == count


# Processes

SETUP = """
import atexit, os, sys
import numpy as np
from attribution.kernels import black_price
def price():
    return black_price(np.full(200_000, 100.0), 100.0, 1.0, 0.2, 1, threads=2)
first = price()
"""

FORK = """
child = os.fork()
if child == 0:
    sys.exit(0 if np.array_equal(price(), first) else 1)  # an ordinary exit, which joins threads
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), np.array_equal(price(), first))
"""

AT_EXIT = """
atexit.register(lambda: print("at exit", np.array_equal(price(), first)))
"""

SPAWN = """
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(all(np.array_equal(first, prices) for prices in pool.starmap(price, [()] * 6)))
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@needs_fork
def test_a_forked_child_has_its_own_helpers():
    assert run(SETUP + FORK) == "0 True"


@needs_fork
def test_forked_workers():
    assert run(SETUP + SPAWN) == "True"


def test_the_interpreter_ends_and_may_still_call():
    assert run(SETUP + AT_EXIT) == "at exit True"
