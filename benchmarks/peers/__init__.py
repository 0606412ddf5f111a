"""The libraries ours is timed against: one file per group, beside the requirements of its environment.

Each file offers ``CONTESTANTS`` and ``DISTRIBUTIONS``. A library's units are turned into ours where its results
are read, outside the timed call: ``VOL_POINT`` and ``DAY`` say what a library means by one.
"""

from __future__ import annotations

VOL_POINT = 0.01
"""py_vollib's vega and rho are per 0.01."""
DAY = 1 / 365
"""Its theta is per calendar day."""
