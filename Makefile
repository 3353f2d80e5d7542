# `make run` and `make test` are all that is needed; both set up first, once per change of the lock.
# Needs Python 3.11 or later, make and git. PYTHON=/path/to/python chooses another one than is found.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup run test test-long lint types bench lock

setup: $(READY)

# The stamp holds until the lock or the project's own description changes.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; found: $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q brightpearl_pipelines brightpearl_pipelines_tests
	@touch $@

# ORDERS=path/to/online_retail.csv fills the shop with real order lines.
run: setup
	@exec $(BIN)/bpp run

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-long: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks

# Needs uv. setuptools builds the package without fetching anything, so it is locked beside what the package asks for.
lock: setup
	echo 'setuptools>=77' | $(UV) pip compile pyproject.toml - --extra dev --generate-hashes --no-strip-extras \
		--no-emit-index-url --no-header -o requirements.lock
