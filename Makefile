# `make demo` and `make test` set up what they need in .venv; everything else builds on them.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: demo test check fuzz bench clean

demo: .venv/.demo
	$(BIN)/python demo_app.py $(ARGS)

test: .venv/.dev
	$(BIN)/python -m pytest $(or $(ARGS),--cov --cov-report=term)

# Where pyenv keeps several Pythons, all of them become visible to nox.
check: export PYENV_VERSION ?= $(shell pyenv versions --bare 2>/dev/null | grep -E '^3\.1[123]\.[0-9]+$$' | paste -sd:)
check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tests.fuzz --seconds 60
	$(BIN)/nox $(ARGS)

fuzz: .venv/.dev
	$(BIN)/python -m tests.fuzz $(or $(ARGS),--seconds 60)

bench: .venv/.bench
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv .nox build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/.demo: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/.demo

.venv/.bench: .venv/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@
