"""The ledger's branch of the tree of errors."""

from __future__ import annotations

import pickle

import pytest

from attribution.errors import AttributionError, TradeError
from attribution.ledger import errors
from attribution.ledger.errors import (
    ConflictError,
    CorruptLogError,
    InvalidRecordError,
    LedgerError,
    NewerSchemaError,
    StoreError,
)


@pytest.mark.parametrize("error", [ConflictError, CorruptLogError, InvalidRecordError, NewerSchemaError, StoreError])
def test_every_error_is_a_ledger_error_and_no_bug_of_the_caller(error: type[LedgerError]) -> None:
    assert issubclass(error, LedgerError)
    assert issubclass(error, AttributionError)
    assert not issubclass(error, ValueError | TypeError)


def test_a_malformed_record_is_told_like_a_malformed_trade() -> None:
    caught = InvalidRecordError("price", -1, "at least 0")
    assert isinstance(caught, TradeError)
    assert (caught.field, caught.value, str(caught)) == ("price", -1, "price=-1: at least 0")


@pytest.mark.parametrize("error", [InvalidRecordError("a", 1, "b"), ConflictError("fill", "k", "price")])
def test_errors_survive_pickling(error: LedgerError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_the_docstring_draws_every_error() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        assert name in errors.__doc__
