# The two commands of the README are `make demo` and `make test`. Both make a virtual environment in .venv first, with uv when
# it is there and with plain pip otherwise.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=
# Strict: a broken link or a name that is missing from the API page is an error. The variable silences an advertisement.
SITE   := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

.PHONY: demo test check format docs clean

$(VENV)/demo.stamp: pyproject.toml
	@command -v uv >/dev/null 2>&1 && uv venv -q --allow-existing -p $(PYTHON) $(VENV) || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then uv pip install -q -p $(BIN)/python -e '.[demo]'; else $(BIN)/python -m pip install -q -e '.[demo]'; fi
	@touch $@

$(VENV)/dev.stamp: pyproject.toml
	@command -v uv >/dev/null 2>&1 && uv venv -q --allow-existing -p $(PYTHON) $(VENV) || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then uv pip install -q -p $(BIN)/python -e '.[demo,test]' --group dev; \
	 else $(BIN)/python -m pip install -q -U 'pip>=25.1' && $(BIN)/python -m pip install -q -e '.[demo,test]' --group dev; fi
	@touch $@ $(VENV)/demo.stamp

demo: $(VENV)/demo.stamp  ## Show a team of agents at work; needs no engine, key or network after the installation.
	$(BIN)/cooperbench demo $(ARGS)

test: $(VENV)/dev.stamp check  ## All checks, and every test that can run on this machine.
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/dev.stamp  ## Lint, format, imports, types, the site.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(SITE)

docs: $(VENV)/dev.stamp  ## The site, in .site/.
	$(SITE)

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .site dist
