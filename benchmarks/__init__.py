"""Benchmarks: one file per unit of work, peers side by side in the same run. ``make bench`` runs them all."""
