"""The front door: the public names, and an import that does nothing but define them."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import attribution
from attribution.options import DailyOptions, ManyOptions

ROOT = Path(__file__).resolve().parents[1]

NAMES = [
    "AttributionError",
    "BrokerError",
    "CalendarError",
    "Flag",
    "MarketDataError",
    "NoSourceError",
    "Status",
    "SymbolError",
    "TradeError",
    "UnderlyingPrice",
    "__version__",
    "attribute_daily",
    "attribute_legs",
    "black_greeks",
    "black_price",
    "calculate_attribution_for_trade",
    "calculate_attribution_for_trades",
    "format_symbol",
    "implied_vol",
    "parse_legs",
    "parse_symbol",
    "row_from_attribution_data",
    "summarise",
]


def test_the_public_names_are_a_contract() -> None:
    assert set(NAMES) <= set(attribution.__all__)
    assert attribution.__all__ == sorted(attribution.__all__)


@pytest.mark.parametrize(
    ("call", "options"),
    [(attribution.calculate_attribution_for_trades, ManyOptions), (attribution.attribute_daily, DailyOptions)],
)
def test_type_checkers_are_told_of_every_keyword(call: Callable[..., object], options: Any) -> None:
    """What a frame or a list gives is told by overloads, and these list the keywords once more."""
    parameters = inspect.signature(call).parameters.values()
    keywords = {p.name: p.annotation for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert {name: hint.__forward_arg__ for name, hint in options.__annotations__.items()} == keywords


@pytest.mark.parametrize("name", attribution.__all__)
def test_each_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(attribution, name)
    if name == "__version__":
        assert [part.isdigit() for part in value.split(".")] == [True, True, True]
        return
    documentation = inspect.getdoc(value)
    assert documentation
    assert documentation.splitlines()[0].endswith((".", "]"))


@pytest.mark.parametrize(
    "name",
    [
        "calculate_attribution_for_trade",
        "calculate_attribution_for_trades",
        "attribute_daily",
        "summarise",
        "row_from_attribution_data",
    ],
)
def test_each_argument_of_a_call_is_named_in_its_documentation(name: str) -> None:
    function = getattr(attribution, name)
    documentation = inspect.getdoc(function) or ""
    if name in ("calculate_attribution_for_trades", "attribute_daily"):
        # These two refer to the single call for what they share with it.
        assert "single" in documentation or "calculate_attribution_for_trade`" in documentation
        documentation += inspect.getdoc(attribution.calculate_attribution_for_trade) or ""
    for parameter in inspect.signature(function).parameters:
        assert parameter in documentation, parameter


def test_the_three_calls_take_the_same_arguments_with_the_same_defaults() -> None:
    single = dict(inspect.signature(attribution.calculate_attribution_for_trade).parameters)
    many = dict(inspect.signature(attribution.calculate_attribution_for_trades).parameters)
    del single["row"], many["rows"]
    of_frames = {"level", "columns", "keep", "threads"}
    assert {name: many[name] for name in set(many) - of_frames} == single
    assert of_frames <= set(many)
    daily = inspect.signature(attribution.attribute_daily).parameters
    for name in set(many) - {"day", "broker"}:
        assert daily[name] == many[name], name


def test_nothing_starts_with_the_arguments_that_matter_by_accident() -> None:
    # Only the row and the broker have a place: a price dict in the wrong one must not pass silently.
    parameters = inspect.signature(attribution.calculate_attribution_for_trade).parameters.values()
    assert [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY] == ["row", "broker"]


IMPORT_PROGRAM = """
import logging, os, signal, sys, threading, warnings

import numpy
import numba.core.event as event

written, hooks = [], sys.excepthook
flags = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def watch(name, args):
    if name == "open" and (args[2] or 0) & flags:
        written.append(str(args[0]))
    elif name in ("os.mkdir", "os.rename", "os.remove", "socket.connect", "subprocess.Popen"):
        written.append(name)
handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
filters, threads = list(warnings.filters), threading.active_count()
signals = [signal.getsignal(s) for s in sorted(signal.valid_signals())]
loaded = set(sys.modules)
sys.addaudithook(watch)
with event.install_recorder("numba:compile") as compiled:
    import attribution
heavy = {"pandas", "scipy", "redis", "rich", "typer", "pyarrow", "httpx", "polars", "requests", "brokers"}
# numba looks at scipy's version number where scipy is installed; nobody looks inside.
fresh = {name.partition(".")[0] for name in set(sys.modules) - loaded}
assert not heavy & fresh, heavy & fresh
assert not {"scipy.special", "scipy.stats", "scipy.optimize", "scipy.linalg"} & set(sys.modules)
assert not written, written
assert not compiled.buffer, compiled.buffer
assert logging.getLogger().handlers == handlers and logging.getLogger().level == level
ours = [n for n in logging.root.manager.loggerDict if n.startswith("attribution")]
assert not any(logging.getLogger(n).handlers for n in ours), ours
assert warnings.filters == filters
assert sys.excepthook is hooks and threading.active_count() == threads
assert [signal.getsignal(s) for s in sorted(signal.valid_signals())] == signals
print("light")
"""


def run(program: str, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        check=False,
        timeout=120,
    )


def test_the_import_is_light_and_has_no_side_effect(tmp_path: Path) -> None:
    # -B: the interpreter's own byte-code files are not what is meant by "writes nothing".
    done = run(IMPORT_PROGRAM, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "light\n"
    assert list(tmp_path.iterdir()) == []


def test_a_trade_is_explained_without_data_frames(tmp_path: Path) -> None:
    # A share needs no market and no data frame library, and warns of nothing.
    done = run(
        """
import sys
import attribution
row = {"symbol": "TCS_STK___", "entry_time": "2025-01-27 10:00", "exit_time": "2025-01-27 14:00",
       "entry_price": 4000.0, "exit_price": 4100.0, "entry_quantity": 10}
print(attribution.calculate_attribution_for_trades([row], current_time="2025-01-27 09:30")[0]["status"])
assert not {"pandas", "scipy.special", "scipy.stats", "pyarrow"} & set(sys.modules)
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "not_open\n"
