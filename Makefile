# Everything a newcomer needs. `make help` lists the targets; all tools live in .venv.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LAKE ?= data
SITES ?= sites.yaml
DAYS ?= 3
# LIVE=0 ends the demo after the table; else a simulated feed goes on, a file a minute and home.
LIVE ?= 1
PORT ?= 3000
# Options of a drill; suites and options of the bench.
DRILL ?=
SUITES ?=
BENCH ?=
# Tests of one file share their lake, so a file stays on one worker.
PYTEST_FLAGS ?= -n 2 --dist loadfile --no-loadscope-reorder

# Nothing is sent anywhere.
export DAGSTER_DISABLE_TELEMETRY := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: help setup demo live test test-unit drill-live drill-outage drill-kill drill-names drill-days drill-law drill-meters drill-forecasts drill-fuzz drill-forms drill-clocks drill-masks drill-mutation drill-readers drill-year bench security audit lint types lock reset clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## Make .venv with the locked packages (redone when the lock changes)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make setup PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) from requirements.lock"
	@$(PYTHON) -m venv $(VENV)
	@awk '/^[a-z0-9]/ {wanted = /^uv==/} wanted' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install -qq --no-deps --require-hashes -r $(VENV)/uv.lock
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip sync -q --require-hashes --compile-bytecode requirements.lock
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## Simulate three days of two homes, build the lake, show it, go on live (LIVE=0: stop there)
	@echo "1/3 Simulating: $(BIN)/domotic simulate --sites $(SITES) --days $(DAYS) --if-empty"
	@$(BIN)/domotic simulate --sites $(SITES) --days $(DAYS) --if-empty
	@echo "2/3 Building: $(BIN)/domotic build --sites $(SITES) --lake $(LAKE)"
	@$(BIN)/domotic build --sites $(SITES) --lake $(LAKE)
	@echo "3/3 Asking: $(BIN)/domotic summary --sites $(SITES) --lake $(LAKE)"
	@$(BIN)/domotic summary --sites $(SITES) --lake $(LAKE)
	@echo
	@echo "Next:"
	@echo "  ask           $(BIN)/domotic query --lake $(LAKE) 'SELECT local_date, device_id, energy_kwh FROM mart_energy_daily'"
	@echo "  or open       $(LAKE)/serve/domotic-admin.duckdb in any DuckDB client; columns: docs/gold_schema.md"
	@echo "  go on live    make live"
	@echo "  start over    make reset demo"
ifneq ($(LIVE),0)
	@echo
	@$(BIN)/domotic live --sites $(SITES) --lake $(LAKE) --port $(PORT) --simulate
endif

live: setup ## The feed of SITES as it comes, with Dagster's UI on this machine's PORT; Ctrl+C ends it
	@$(BIN)/domotic live --sites $(SITES) --lake $(LAKE) --port $(PORT)

test: setup ## All tests, unit tests first; ends with the table of rules, and the coverage
	DOMOTIC_REQUIRE_RULES=1 $(BIN)/python -m pytest $(PYTEST_FLAGS) --cov --cov-report=
	@$(BIN)/python -m domotic_assets_tests.support.coverage_gate

test-unit: setup ## The pure unit tests alone (seconds)
	$(BIN)/python -m pytest $(PYTEST_FLAGS) domotic_assets_tests/unit

drill-live: setup ## From landing to readable in 15 live minutes, and its cost (DRILL='--homes 200': of 200 homes)
	$(BIN)/python -m domotic_assets_tests.drills.live $(DRILL)

drill-outage: setup ## Three missed hours caught up (DRILL='--history-days 70': a history from nothing)
	$(BIN)/python -m domotic_assets_tests.drills.outage $(DRILL)

drill-kill: setup ## 50 kills, a lost share, a full disk: the rows stay the same (DRILL='--times 5': short)
	$(BIN)/python -m domotic_assets_tests.drills.kill $(DRILL)

drill-names: setup ## Cost of finding files among 250,000 names over real SMB (DRILL='--names 1000': fewer)
	$(BIN)/python -m domotic_assets_tests.drills.names $(DRILL)

drill-days: setup ## A day of minutes and six of hours through Dagster: what stays bounded (DRILL='--minutes 9 --days 0': short)
	$(BIN)/python -m domotic_assets_tests.drills.days $(DRILL)

drill-law: setup ## 200 random cuts of random feeds: the same rows
	DOMOTIC_LAW_CASES=200 $(BIN)/python -m pytest -q domotic_assets_tests/lakes/test_law_of_windows.py

drill-meters: setup ## 20,000 random plugs with faulty counters: how far sums are from the truth (DRILL='--series 500': short)
	$(BIN)/python -m domotic_assets_tests.drills.meters $(DRILL)

drill-forecasts: setup ## 20,000 mutated forecasts: each value in Silver, in the right unit, or a reject with its reason
	DOMOTIC_FORECASTS=20000 $(BIN)/python -m pytest -q domotic_assets_tests/unit/domains/weather/test_silver.py -k mutated

drill-fuzz: setup ## 100,000 mutated files through landing and reading (DRILL='--files 2000': short)
	$(BIN)/python -m domotic_assets_tests.drills.fuzz $(DRILL)

drill-forms: setup ## 50,000 good files written otherwise: each reading at its value or refused (DRILL='--files 2000': short)
	$(BIN)/python -m domotic_assets_tests.drills.forms $(DRILL)

drill-mutation: setup ## Rules of energy, time and dedup, changed: what no unit test notices (DRILL='--mutants 20': short)
	$(BIN)/python -m domotic_assets_tests.drills.mutation $(DRILL)

drill-readers: setup ## Readers in 8 processes beside 100 publications, and killed ones (DRILL='--publications 10': short)
	$(BIN)/python -m domotic_assets_tests.drills.readers $(DRILL)

drill-year: setup ## A year of two homes, 30 million rows of minutes: questions, file, publishing (DRILL='--days 14': short)
	$(BIN)/python -m domotic_assets_tests.drills.year $(DRILL)

drill-clocks: setup ## 5,000 feeds of wrong clocks in memory, 30 under faketime (DRILL='--feeds 200 --builds 2': short)
	$(BIN)/python -m domotic_assets_tests.drills.clocks $(DRILL)

drill-masks: setup ## 10,000 secrets at random places of files: none right of Bronze (DRILL='--placements 800': short)
	$(BIN)/python -m domotic_assets_tests.drills.masks $(DRILL)

bench: setup ## Figures against baselines, into docs/benchmarks.md (SUITES='flatten facts': some; BENCH='--no-docs')
	$(BIN)/python -m domotic_assets_tests.bench $(SUITES) $(BENCH)

security: setup ## Unsafe code, and secrets in tracked files
	$(BIN)/bandit -q -c pyproject.toml -r domotic_assets
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --exclude-files ^requirements\.lock$$

audit: setup ## Known vulnerabilities of the locked packages, asked on the internet
	$(BIN)/pip-audit -r requirements.lock --require-hashes --disable-pip --strict --progress-spinner off

lint: setup ## Style, format and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup ## Type check
	$(BIN)/mypy

lock: setup ## Resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-strip-extras --no-header --no-emit-index-url \
	  --extra dev pyproject.toml -o requirements.lock

reset: ## Remove everything in data/: the lake with its bronze, and the simulated sources
	find data -mindepth 1 -not -name README.md -delete

clean: ## Remove caches and test leftovers; the lake and .venv stay
	rm -rf .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find domotic_assets domotic_assets_tests -name __pycache__ -type d -prune -exec rm -rf {} +
