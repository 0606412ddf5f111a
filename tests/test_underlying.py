"""Which price plays the spot: only what is known at both ends of a window can be compared."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from attribution.market.quotes import Answer, Missing, Price, PriceKind, Why
from attribution.underlying import PlaysSpot, UnderlyingMove, resolve, unknown

KOLKATA = ZoneInfo("Asia/Kolkata")
MORNING = datetime(2025, 1, 27, 10, 0, tzinfo=KOLKATA)
EVENING = datetime(2025, 1, 27, 15, 30, tzinfo=KOLKATA)
MIDNIGHT = datetime(2025, 1, 27, tzinfo=KOLKATA)

NO_CARRY = (1.0, 1.0)
NOTHING = Missing("nobody was asked", Why.NO_SOURCE)


def given(value: float, at: datetime | None = None, kind: PriceKind = PriceKind.GIVEN, source: str = "table") -> Price:
    return Price(value, source, kind, at)


def daily(value: float, at: datetime | None = MIDNIGHT, source: str = "table") -> Price:
    return Price(value, source, PriceKind.DAILY, at)


SPOT = (given(23400.0, MORNING), given(23350.0, EVENING))
FORWARD = (given(23460.0, MORNING), given(23400.0, EVENING))


def test_spot_and_forward_at_both_ends_tell_the_basis() -> None:
    assert resolve(SPOT, FORWARD, NO_CARRY, expires=False) == UnderlyingMove(
        23400.0, 60.0, 23350.0, 50.0, PlaysSpot.SPOT_AND_FUTURE
    )


def test_only_the_spot_leaves_no_basis() -> None:
    assert resolve(SPOT, (NOTHING, NOTHING), NO_CARRY, expires=False) == UnderlyingMove(
        23400.0, 0.0, 23350.0, 0.0, PlaysSpot.SPOT
    )


def test_only_the_forward_plays_the_spot() -> None:
    assert resolve((NOTHING, NOTHING), FORWARD, NO_CARRY, expires=False) == UnderlyingMove(
        23460.0, 0.0, 23400.0, 0.0, PlaysSpot.FUTURE
    )


@pytest.mark.parametrize("end", [0, 1])
def test_a_forward_at_one_end_only_is_not_used(end: int) -> None:
    # Else the basis of that end would jump from nothing to 60 and be booked as spread.
    ends: list[Answer] = [NOTHING, NOTHING]
    ends[end] = FORWARD[end]
    move = resolve(SPOT, (ends[0], ends[1]), NO_CARRY, expires=False)
    assert move == UnderlyingMove(23400.0, 0.0, 23350.0, 0.0, PlaysSpot.SPOT)


@pytest.mark.parametrize("end", [0, 1])
def test_a_spot_at_one_end_only_is_not_used(end: int) -> None:
    ends: list[Answer] = [NOTHING, NOTHING]
    ends[end] = SPOT[end]
    move = resolve((ends[0], ends[1]), FORWARD, NO_CARRY, expires=False)
    assert move == UnderlyingMove(23460.0, 0.0, 23400.0, 0.0, PlaysSpot.FUTURE)


def test_spot_at_the_start_and_forward_at_the_end_have_nothing_in_common() -> None:
    move = resolve((SPOT[0], Missing("no spot")), (Missing("no future"), FORWARD[1]), NO_CARRY, expires=False)
    assert isinstance(move, Missing)
    assert "no spot" in move.reason


def test_carry_is_no_basis() -> None:
    # F = (S + b)·growth: forwards that carry alone explains leave b = 0.
    move = resolve((given(100.0), given(101.0)), (given(110.0), given(106.05)), (1.1, 1.05), expires=False)
    assert isinstance(move, UnderlyingMove)
    assert (move.spot0, move.spot1) == (100.0, 101.0)
    assert move.basis0 == pytest.approx(0.0, abs=1e-12)
    assert move.basis1 == pytest.approx(0.0, abs=1e-12)


def test_a_forward_that_plays_the_spot_is_discounted() -> None:
    move = resolve((NOTHING, NOTHING), (given(110.0), given(106.05)), (1.1, 1.05), expires=False)
    assert isinstance(move, UnderlyingMove)
    assert move.spot0 == pytest.approx(100.0, rel=1e-15)
    assert move.spot1 == pytest.approx(101.0, rel=1e-15)
    assert (move.basis0, move.basis1, move.plays) == (0.0, 0.0, PlaysSpot.FUTURE)


def test_at_a_payoff_the_settlement_value_is_spot_and_forward() -> None:
    move = resolve(SPOT, (FORWARD[0], NOTHING), NO_CARRY, expires=True)
    assert move == UnderlyingMove(23400.0, 60.0, 23350.0, 0.0, PlaysSpot.SPOT_AND_FUTURE)


def test_at_a_payoff_the_forward_alone_moves_to_the_settlement_value() -> None:
    move = resolve((NOTHING, SPOT[1]), (FORWARD[0], NOTHING), NO_CARRY, expires=True)
    assert move == UnderlyingMove(23460.0, 0.0, 23350.0, 0.0, PlaysSpot.FUTURE)


def test_at_a_payoff_carry_has_run_out() -> None:
    move = resolve((NOTHING, given(105.0)), (given(110.0), NOTHING), (1.1, 1.0), expires=True)
    assert isinstance(move, UnderlyingMove)
    assert move.spot0 == pytest.approx(100.0, rel=1e-15)
    assert move.spot1 == 105.0


def test_without_a_settlement_value_there_is_no_payoff() -> None:
    # A quote of the future at the close is not the final settlement value of the index.
    move = resolve((SPOT[0], Missing("no close")), FORWARD, NO_CARRY, expires=True)
    assert isinstance(move, Missing)
    assert "no close" in move.reason


def test_a_forward_nobody_could_know_is_not_blamed() -> None:
    move = resolve((Missing("no spot at ten"), SPOT[1]), (NOTHING, NOTHING), NO_CARRY, expires=False)
    assert move == Missing("no spot at ten", Why.UNKNOWN)


def test_a_failed_source_is_told_from_an_absence() -> None:
    broken = Missing("the server is down", Why.FAILED)
    move = resolve((Missing("no spot"), SPOT[1]), (broken, broken), NO_CARRY, expires=False)
    assert isinstance(move, Missing)
    assert move.why is Why.FAILED


# One daily price cannot stand for both ends


def test_one_daily_spot_for_both_ends_is_missing() -> None:
    # 09:20 and 15:20 resolved to the same daily price: the spot effect would vanish.
    gap = unknown((daily(23400.0), daily(23400.0)))
    assert isinstance(gap, Missing)
    assert gap.why is Why.UNKNOWN
    assert "cannot stand for both ends" in gap.reason


def test_a_key_that_one_end_met_exactly_is_still_one_price() -> None:
    # 10:00 is the only key of the date: exact for the entry, the fallback for the close.
    gap = unknown((given(23400.0, MORNING), daily(23400.0, MORNING)))
    assert isinstance(gap, Missing)


def test_daily_prices_of_two_days_are_two_prices() -> None:
    tomorrow = datetime(2025, 1, 28, tzinfo=KOLKATA)
    assert unknown((daily(23400.0), daily(23400.0, tomorrow))) is None


def test_daily_prices_of_two_sources_are_two_prices() -> None:
    assert unknown((daily(23400.0), daily(23350.0, source="broker"))) is None


def test_equal_exact_prices_are_a_flat_day() -> None:
    assert unknown((given(23400.0, MORNING), given(23400.0, EVENING))) is None


def test_a_window_of_one_instant_may_use_one_daily_price() -> None:
    # Opened and looked at in the same instant: nothing moved, and nothing vanishes.
    assert unknown((daily(23400.0), daily(23400.0)), instant=True) is None
    move = resolve((daily(23400.0), daily(23400.0)), (NOTHING, NOTHING), NO_CARRY, expires=False, instant=True)
    assert move == UnderlyingMove(23400.0, 0.0, 23400.0, 0.0, PlaysSpot.SPOT)


def test_a_daily_spot_gives_way_to_forwards_that_tell_the_ends_apart() -> None:
    move = resolve((daily(23400.0), daily(23400.0)), FORWARD, NO_CARRY, expires=False)
    assert move == UnderlyingMove(23460.0, 0.0, 23400.0, 0.0, PlaysSpot.FUTURE)


@pytest.mark.parametrize("end", [0, 1])
def test_the_end_that_is_missing_is_the_one_told(end: int) -> None:
    ends: list[Answer] = [given(1.0), given(2.0)]
    ends[end] = Missing(f"nothing at {end}")
    assert unknown((ends[0], ends[1])) == Missing(f"nothing at {end}")
