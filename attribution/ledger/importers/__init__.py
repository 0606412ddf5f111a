"""Brokers' files → records: one reader per format, one import for all. What cannot be recorded is listed."""

from attribution.ledger.importers.alpaca import read_alpaca
from attribution.ledger.importers.cells import ImportFileError
from attribution.ledger.importers.generic import read_generic
from attribution.ledger.importers.run import import_statement
from attribution.ledger.importers.statement import ImportReport, Renaming, Statement, Unmatched
from attribution.ledger.importers.tastytrade import read_tastytrade

__all__ = [
    "ImportFileError",
    "ImportReport",
    "Renaming",
    "Statement",
    "Unmatched",
    "import_statement",
    "read_alpaca",
    "read_generic",
    "read_tastytrade",
]
