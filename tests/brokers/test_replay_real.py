"""The exchange's own files of real sessions, against tables that were made from them by other code."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from attribution.market.quotes import CloseOf, Missing, Price, PriceKind
from attribution.symbols import parse_symbol
from brokers.replay import ReplayBroker
from tests.market_data import market_data

RIGHTS = {"CE": "CALL", "PE": "PUT"}


def option_of(line: dict[str, str]) -> CloseOf:
    symbol = f"{line['symbol']}_OPT_{line['expiry'].replace('-', '')}_{RIGHTS[line['type']]}_{float(line['strike']):g}"
    return CloseOf(parse_symbol(symbol), date.fromisoformat(line["date"]), symbol)


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("folder", "table", "traded", "count"),
    [
        ("nse_eod_2025", "index_options_tidy.csv", "volume", 4176),
        ("nse_eod_2022", "index_options_tidy_20220613_15.csv", "contracts", 1608),
    ],
)
def test_every_option_that_traded(folder: str, table: str, traded: str, count: int) -> None:
    lines = lines_of(market_data("data", folder, table))
    assert len(lines) == count
    assert all(float(line[traded]) > 0 for line in lines)
    broker = ReplayBroker(market_data("data", folder))
    assert broker.check() == []
    answers = broker.closes([option_of(line) for line in lines])
    assert [a.value if isinstance(a, Price) else a for a in answers] == [float(line["close"]) for line in lines]
    assert {a.kind for a in answers if isinstance(a, Price)} == {PriceKind.CLOSE}


def test_spots_and_front_futures() -> None:
    broker = ReplayBroker(market_data("data", "nse_eod_2025"))
    for line in lines_of(market_data("data", "nse_eod_2025", "index_options_tidy.csv"))[::50]:
        day, front = date.fromisoformat(line["date"]), line["front_fut_expiry"].replace("-", "")
        index, future = (parse_symbol(f"{line['symbol']}_{rest}") for rest in ("IND___", f"FUT_{front}__"))
        spot, forward = broker.closes([CloseOf(index, day), CloseOf(future, day)])
        assert isinstance(spot, Price)
        assert isinstance(forward, Price)
        assert (spot.value, forward.value) == (float(line["spot_close"]), float(line["front_fut_close"]))


def test_untraded_contracts_have_their_settlement_but_not_on_their_last_day() -> None:
    broker = ReplayBroker(market_data("data", "nse_eod_2025"))
    day = date(2025, 1, 2)
    # From the files: an untraded far put, and an untraded put of the weekly that expired on this day, whose
    # SttlmPric is 24188.65, the index.
    far = CloseOf(parse_symbol("NIFTY_OPT_20250116_PUT_24800"), day)
    dead = CloseOf(parse_symbol("NIFTY_OPT_20250102_PUT_26400"), day)
    traded = CloseOf(parse_symbol("NIFTY_OPT_20250102_PUT_23100"), day)
    first, second, third = broker.closes([far, dead, traded])
    assert isinstance(first, Price)
    assert (first.value, first.kind) == (620.5, PriceKind.SETTLEMENT)
    assert isinstance(second, Missing)
    assert "did not trade on its last day" in second.reason
    assert isinstance(third, Price)
    assert (third.value, third.kind) == (0.2, PriceKind.CLOSE)
