"""The scales between kernel units and quoted units, typed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from attribution import units


def test_vega_of_a_vol_point_is_a_hundredth() -> None:
    assert units.vega_per_vol_point(1234.0) == pytest.approx(12.34, rel=1e-15)


def test_theta_of_a_calendar_day_and_of_a_session_differ() -> None:
    # The two are mixed up elsewhere: 365 days, 252 sessions.
    assert units.theta_per_calendar_day(-3650.0) == -10.0
    assert units.theta_per_session(-2520.0) == -10.0


def test_rho_of_a_basis_point_is_a_ten_thousandth() -> None:
    assert units.rho_per_bp(50_000.0) == pytest.approx(5.0, rel=1e-15)


def test_the_scales_take_arrays() -> None:
    np.testing.assert_array_equal(units.theta_per_session(np.array([252.0, -504.0])), [1.0, -2.0])


@pytest.mark.parametrize(
    ("name", "value"),
    [("VOL_POINT", 0.01), ("BASIS_POINT", 0.0001), ("DAYS_PER_YEAR", 365.0), ("SESSIONS_PER_YEAR", 252.0)],
)
def test_the_constants(name: str, value: float) -> None:
    assert getattr(units, name) == value
