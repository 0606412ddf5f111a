"""Results made readable: waterfalls, tables and sentences. Knows result dicts and nothing of how they came about."""

from attribution.report.figures import adds_up, totals
from attribution.report.tables import groups_table, results_table
from attribution.report.waterfall import waterfall
from attribution.report.words import sentence

__all__ = ["adds_up", "groups_table", "results_table", "sentence", "totals", "waterfall"]
