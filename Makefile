# Everything starts here: `make demo`, `make test`. Needs Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check

LOWEST ?= build/lowest

# Without bytecode, each process compiles PyTorch, and pytest rewrites each test, again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check format lint types tests fast slow lowest bench bench-protocol docs clean help release-check

help:            ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

demo: $(VENV)/.installed    ## environment, install, the main job
	$(BIN)/identikit demo

test: format lint           ## environment, install, lint, types, all tests
	@$(MAKE) --no-print-directory -j2 types tests

check: format lint          ## what pre-commit calls: the same with the fast tests
	@$(MAKE) --no-print-directory -j2 types fast

format: $(VENV)/.developer  ## format (in CI: only look)
	$(BIN)/ruff format $(if $(CI),--check) .

lint: $(VENV)/.developer
	$(BIN)/ruff check .

types: $(VENV)/.developer
	$(BIN)/mypy

tests: $(VENV)/.developer   ## all tests (TESTS=tests/cli for a part)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto $(TESTS)

fast: $(VENV)/.developer    ## the fast tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto -m "not slow" $(TESTS)

slow: $(VENV)/.developer    ## the slow tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto -m slow $(TESTS)

lowest: $(LOWEST)/.installed  ## a part of the fast tests with the oldest versions that are allowed
	OMP_NUM_THREADS=1 $(LOWEST)/bin/pytest -q -n auto -m "not slow and not browser" \
	  -o addopts=--import-mode=importlib -W ignore::DeprecationWarning \
	  tests/core tests/features tests/cli tests/report tests/runs/test_store.py

bench: $(VENV)/.developer   ## the benchmarks, into benchmarks/results
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/run.py

bench-protocol: $(VENV)/.developer  ## the paper's own protocol, most of an hour
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/protocol.py

docs: $(VENV)/.docs         ## the site, into build/site; warnings are errors
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -q -W --keep-going -d build/doctrees docs build/site
	@echo "the site: build/site/index.html"

release-check: $(VENV)/.developer  ## wheel and sdist, each used in an empty environment
	.ci/release-check $(CURDIR)/$(BIN)/hatchling $(PYTHONS)

clean:                      ## remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "identikit needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing identikit and PyTorch into $(VENV) (once; a few minutes) ..."
	$(INSTALL) -e .
	@touch $@

$(VENV)/.developer: pyproject.toml $(VENV)/.installed
	$(INSTALL) -e ".[dev]"
	@touch $@

$(LOWEST)/.installed: pyproject.toml $(VENV)/.developer
	$(BIN)/uv venv -q --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip install -q --python $(LOWEST)/bin/python --resolution lowest-direct -e ".[dev]"
	@touch $@

$(VENV)/.docs: pyproject.toml $(VENV)/.installed
	$(INSTALL) -e ".[docs]"
	@touch $@
