"""The tree of errors: who catches what, what a message holds, and that errors survive a trip between processes."""

from __future__ import annotations

import pickle

import pytest

from attribution import errors
from attribution.errors import (
    AttributionError,
    BrokerError,
    CalendarError,
    MarketDataError,
    NoSourceError,
    SymbolError,
    TradeError,
)


@pytest.mark.parametrize(
    ("error", "parents"),
    [
        (TradeError, {AttributionError}),
        (SymbolError, {TradeError, AttributionError}),
        (CalendarError, {AttributionError}),
        (MarketDataError, {AttributionError}),
        (NoSourceError, {MarketDataError, AttributionError}),
        (BrokerError, {AttributionError}),
    ],
)
def test_the_tree(error: type[AttributionError], parents: set[type[AttributionError]]) -> None:
    ours = {cls for cls in error.__mro__ if cls.__module__ == errors.__name__}
    assert ours == parents | {error}


def test_bad_data_is_not_a_value_error() -> None:
    # ValueError and TypeError are kept for wrong arguments: a caller must be able to tell the two apart.
    for name in errors.__all__:
        assert not issubclass(getattr(errors, name), ValueError | TypeError)


@pytest.mark.parametrize("error", [TradeError, SymbolError])
def test_a_trade_error_names_field_value_and_what_is_allowed(error: type[TradeError]) -> None:
    caught = error("entry_quantity", 0.0, "a number other than zero")
    assert (caught.field, caught.value, caught.allowed) == ("entry_quantity", 0.0, "a number other than zero")
    assert str(caught) == "entry_quantity=0.0: a number other than zero"


@pytest.mark.parametrize("error", [TradeError, SymbolError])
def test_a_trade_error_survives_pickling(error: type[TradeError]) -> None:
    back = pickle.loads(pickle.dumps(error("symbol", "FOO", "an instrument")))
    assert type(back) is error
    assert (back.field, back.value, str(back)) == ("symbol", "FOO", "symbol='FOO': an instrument")


def test_the_docstring_draws_every_error() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        assert name in errors.__doc__
