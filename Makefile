# Kapsula. `make demo` is the way in; `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8080
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench migrations python

help:  ## list what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Kapsula needs Python 3.11 or later; \`$(PYTHON)\` is not. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
	  exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv is missing. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

# The stamps say which dependencies are installed; they are made anew when pyproject.toml changes.
$(VENV)/.runtime: pyproject.toml | python
	@echo "Preparing .venv and installing what Kapsula needs (once, about half a minute)…"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | python
	@echo "Preparing .venv and installing Kapsula with its development tools (once)…"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.runtime

demo: $(VENV)/.runtime  ## a pharmacy with a year of life on this machine: make demo PORT=9000
	@exec $(BIN)/kapsula demo --port $(PORT) $(if $(FRESH),--fresh)

test: $(VENV)/.dev  ## every test that this machine can run; CI=true demands all: make test ARGS=tests/app
	@$(BIN)/pytest $(ARGS)

lint: $(VENV)/.dev  ## style, types, law of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## every benchmark, one table at the end
	@$(BIN)/python -m benchmarks

migrations: $(VENV)/.dev  ## write migrations for changed models: make migrations NAME=what_changes
	@test -n "$(NAME)" || { echo "Say what changes: make migrations NAME=what_changes"; exit 1; }
	@$(BIN)/tortoise -c app.database.MIGRATIONS_CONFIG makemigrations -n $(NAME)
