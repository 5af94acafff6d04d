# Two commands: `make demo` and `make test`. Both set up what is missing, inside this checkout.
# All set-up talk goes to stderr, so that `make -s demo ARGS="--once --json" > out.json` is JSON.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
# Two workers: the suite is measured on two cores, and every worker starts a node of its own.
PYTEST_ARGS ?= -n 2 --dist worksteal

VENDOR := underkeel/web/static/vendor
LIBRARIES := htmx.org/dist/htmx.min.js htmx.org/dist/ext/hx-sse.min.js uplot/dist/uPlot.iife.min.js \
	uplot/dist/uPlot.min.css echarts/dist/echarts.min.js

export PYTHONPATH := contracts
# Where this is set, every process of the suite compiles every library anew: seconds each.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup system world demo test lint types arrows tests bench soak lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup world ## Run the main job on a local chain with the real protocols (ARGS="--once --json")
	@$(BIN)/underkeel demo $(ARGS)

test: setup system world lint types arrows tests ## Set up what is missing and run every check and test

# Programs that tests drive and Python cannot bring: a browser, a database. Without root, or off
# Debian, the tests that need one are skipped and say so.
PACKAGES := chromium:chromium postgresql:/usr/lib/postgresql/*/bin/initdb
system:
	@exec >&2; missing=; \
	for pair in $(PACKAGES); do \
		ls $${pair#*:} >/dev/null 2>&1 || command -v "$${pair#*:}" >/dev/null || missing="$$missing $${pair%%:*}"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "Some tests will be skipped: install$$missing to run them."; exit 0; fi; \
	echo "Installing$$missing for the tests …"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get install -qq -y --no-install-recommends $$missing >/dev/null 2>&1 \
		|| { apt-get update -qq && apt-get install -qq -y --no-install-recommends $$missing >/dev/null; } \
		|| echo "They could not be installed; the tests that need them are skipped."

setup: $(VENV)/.complete $(VENDOR)/.complete ## Make the virtual environment, pinned by hash

$(VENV)/.complete: requirements.lock bootstrap.lock pyproject.toml
	@exec >&2; \
	if [ -z "$(PYTHON)" ]; then \
		echo "Underkeel needs Python 3.11 or newer; set PYTHON=/path/to/python3.11 if it has another name."; exit 1; fi; \
	if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "PYTHON=$(PYTHON) does not run, or is older than 3.11."; exit 1; fi; \
	echo "Setting up the Python environment …"; \
	if ! [ -x $(BIN)/pip ] && ! $(PYTHON) -m venv --clear $(VENV); then \
		rm -rf $(VENV); \
		echo "Python cannot make virtual environments here. On Debian and Ubuntu: apt install python3-venv"; exit 1; fi; \
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock; \
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock \
		|| $(BIN)/pip install --disable-pip-version-check --require-hashes -r requirements.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	touch $@

# The pages' libraries come from their publishers; without them the pages have links and tables.
$(VENDOR)/.complete: underkeel/web/package-lock.json
	@exec >&2; \
	echo "Fetching the pages' libraries …"; \
	rm -rf .setup/web $(VENDOR); mkdir -p .setup/web $(VENDOR); \
	cp underkeel/web/package.json underkeel/web/package-lock.json underkeel/web/.npmrc .setup/web/; \
	if (cd .setup/web && npm ci --no-progress --loglevel=error); then \
		cd .setup/web/node_modules && cp $(LIBRARIES) $(CURDIR)/$(VENDOR)/ && touch $(CURDIR)/$@; \
	else echo "npm could not: pages will have tables but no drawings and no live updates. make setup tries again."; fi; \
	rm -rf $(CURDIR)/.setup/web

world: setup ## Install and deploy the real protocols once (cached outside the checkout)
	@$(BIN)/python -m world build >&2

lint:
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types:
	@$(BIN)/mypy

arrows:
	@$(BIN)/lint-imports --no-cache

tests:
	@rm -f .coverage .coverage.*
	@NOTE_LINES=1 $(BIN)/python -m pytest $(PYTEST_ARGS) $(ARGS)
	@$(BIN)/python -m coverage combine --quiet && $(BIN)/python -m coverage report --skip-covered

bench: setup world ## Measure bulk reading beside installed peers (ARGS="--quick")
	@$(BIN)/python -m bench $(ARGS)

SOAK ?= 50
soak: setup world ## Random faults, searches and hostile inputs for long (SOAK=50 times the suite's)
	@$(BIN)/python -m tests.executor.faults.soak $$(( 20 * $(SOAK) ))
	@$(BIN)/python -m tests.executor.run.soak
	@$(BIN)/python -m tests.underkeel.monitor.soak
	@UNDERKEEL_SOAK=$(SOAK) $(BIN)/python -m pytest $(PYTEST_ARGS) --timeout 0 tests/contracts/guard/test_stolen_key.py \
		tests/executor/plan/test_crowd.py tests/executor/faults/test_processes.py \
		tests/underkeel/config/test_fuzz.py tests/underkeel/web/test_fuzz.py

lock: ## Renew the hash-pinned lock files
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --group dev --all-extras --upgrade pyproject.toml -o requirements.lock
	@echo 'uv' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --upgrade - -o bootstrap.lock

clean: ## Remove the environment and build products (the cached world stays)
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage*
