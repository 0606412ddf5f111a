"""Adapters to the outside world. They see attribution's market, instruments, symbols, calendars and errors, no more."""
