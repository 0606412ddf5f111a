"""Prices: what can be asked, who can answer, and sources made of the caller's own values."""
