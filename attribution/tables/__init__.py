"""Attribution over data frames: pandas, polars and pyarrow in, the caller's own kind out.

``frames`` and ``making`` know frames; between them there are columns only. ``book`` reads a frame (``facts``: each
distinct symbol once; ``instants``, ``numbers``), ``engine`` explains it in chunks (``lanes``: windows; ``prices``;
``split``; ``totals``), and ``results`` and ``leg_results`` lay out what came of it.
"""

from attribution.tables.api import Level, attribute_frame, check_keep
from attribution.tables.daily import attribute_frame_daily
from attribution.tables.frames import FrameT, NativeFrame, is_frame
from attribution.tables.grouping import summarise_frame
from attribution.tables.price_frame import price_frame

__all__ = [
    "FrameT",
    "Level",
    "NativeFrame",
    "attribute_frame",
    "attribute_frame_daily",
    "check_keep",
    "is_frame",
    "price_frame",
    "summarise_frame",
]
