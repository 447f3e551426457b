# The two commands of the README are `make demo` and `make test`. Both make a virtual environment in .venv first, with uv when
# it is there and with plain pip otherwise.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; done; echo python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=
# Where it is set, each of the hundreds of processes that tests start compiles everything it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test quick quick-tests images check lint imports types docs format clean

# What the installer does is shown: it takes from some seconds to some minutes, by the network.
$(VENV)/demo.stamp: pyproject.toml
	@echo "Making $(VENV) and installing CooperBench into it from this folder, with what the demo needs."
	@command -v uv >/dev/null 2>&1 && uv venv -q --allow-existing -p $(PYTHON) $(VENV) || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then uv pip install -p $(BIN)/python -e '.[demo]'; else $(BIN)/python -m pip install -e '.[demo]'; fi
	@touch $@

$(VENV)/dev.stamp: pyproject.toml
	@echo "Making $(VENV) and installing CooperBench into it from this folder, with what its tests need."
	@command -v uv >/dev/null 2>&1 && uv venv -q --allow-existing -p $(PYTHON) $(VENV) || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then uv pip install -p $(BIN)/python -e '.[demo,test]' --group dev; \
	 else $(BIN)/python -m pip install -U 'pip>=25.1' && $(BIN)/python -m pip install -e '.[demo,test]' --group dev; fi
	@touch $@ $(VENV)/demo.stamp

demo: $(VENV)/demo.stamp  ## Show a team of agents at work; needs no engine, key or network after the installation.
	$(BIN)/cooperbench demo $(ARGS)

test: $(VENV)/dev.stamp check  ## All checks, and every test that can run on this machine.
	$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

quick: $(VENV)/dev.stamp  ## All checks, and beside them the tests that take little and need neither engine nor sandbox: under a minute.
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target check quick-tests

quick-tests: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -q -n logical --dist loadgroup -m 'not slow and not docker and not needs' $(ARGS)

images:  ## The images of the container tests; without them these tests are skipped.
	@.ci/images.sh

check: lint imports types docs  ## Lint, format, imports, types, the site.

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports

types: $(VENV)/dev.stamp
	$(BIN)/mypy

# Strict: a broken link or a name that is missing from the API page is an error. The variable silences an advertisement.
docs: $(VENV)/dev.stamp  ## The site, in .site/.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .site dist
