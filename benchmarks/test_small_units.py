"""The smallest units of work, by pytest-benchmark: ``make bench`` runs them, ``make test`` does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attribution import attribute_legs, black_greeks, black_price, calculate_attribution_for_trade, implied_vol
from benchmarks.calls import ROW, SPOT

Benchmark = Callable[..., Any]


def timed(benchmark: Benchmark, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call once, so that compiling is over, then time."""
    function(*arguments, **options)
    return benchmark(function, *arguments, **options)


def test_one_price(benchmark: Benchmark) -> None:
    """One option: the overhead of a call into compiled code."""
    assert timed(benchmark, black_price, 100.0, 101.0, 0.5, 0.2, 1) > 0.0


def test_one_set_of_greeks(benchmark: Benchmark) -> None:
    """Price and nine greeks of one option."""
    assert timed(benchmark, black_greeks, 100.0, 101.0, 0.5, 0.2, 1).vega > 0.0


def test_one_implied_vol(benchmark: Benchmark) -> None:
    """Implied vol of one price."""
    assert timed(benchmark, implied_vol, 5.0, 100.0, 101.0, 0.5, 1) > 0.0


def test_one_leg(benchmark: Benchmark) -> None:
    """Split of one leg's price change."""
    effects = timed(benchmark, attribute_legs, 1, 101.0, 100.0, 5.0, 0.5, 102.0, 6.0, 0.49)
    assert effects.status == 0


def test_one_trade(benchmark: Benchmark) -> None:
    """One call of the row API: symbol, calendar and clock as well."""
    attributed = timed(benchmark, calculate_attribution_for_trade, ROW, spot_prices=SPOT, day=False)
    assert attributed
