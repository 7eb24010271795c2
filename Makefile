# TradingSystem: `make` lists what can be done. Needs make, Python 3.11-3.13 and a package registry; everything else goes into .venv.

SHELL := /bin/bash
PY := .venv/bin/python
ARGS ?=
N ?= 20
SEED ?= 1
# a folder of stored candles: TS_MARKET_DATA, or one that lies beside the checkout; nothing of it comes with the project
CANDLES ?= $(firstword $(wildcard $(if $(TS_MARKET_DATA),$(TS_MARKET_DATA)/candles,../*/data/candles)))

.DEFAULT_GOAL := help
.PHONY: help venv install run test check lint format bench migrate schema smoke logs smoke-logs clean crash torture \
	backtest-full place-missing-stops place-missing-stops-live lock

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-26s %s\n", $$1, $$2}'
	@echo '  (further arguments: make run ARGS="--profile launch", make test ARGS="-k stop")'

install: ## .venv with the locked runtime packages
	@scripts/venv.sh runtime

venv: ## .venv with everything, tools for development included
	@scripts/venv.sh dev

run: install ## paper trading on the embedded exchange: no key, no network, no server
	@exec $(PY) run.py run $(ARGS)

test: venv ## the whole test suite
	@$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

check: venv ## linters, types, layers, house rules
	@echo "ruff check" && .venv/bin/ruff check .
	@echo "ruff format --check" && .venv/bin/ruff format --check .
	@echo "mypy --strict" && .venv/bin/mypy
	@echo "import layers" && .venv/bin/lint-imports
	@echo "house rules" && $(PY) -m pytest tests/house

lint: venv ## ruff and mypy only
	@.venv/bin/ruff check . && .venv/bin/mypy

format: venv ## format all code
	@.venv/bin/ruff check --fix-only -q . && .venv/bin/ruff format .

bench: install ## measure what must be quick
	@$(PY) run.py bench $(ARGS)

migrate: install ## bring the main database to the newest schema
	@$(PY) run.py migrate $(ARGS)

schema: install ## write config/config.schema.json from the settings
	@$(PY) run.py schema $(ARGS)

smoke: install ## read-only checks on the configured venue; exit 0 or 1
	@$(PY) run.py smoke $(ARGS)

logs: ## follow the log
	@mkdir -p logs && touch logs/run.log && exec tail -n 50 -F logs/run.log

smoke-logs: ## the last cycles, and every warning and error of the current log
	@test -f logs/run.log || { echo "no logs/run.log yet: make run"; exit 1; }
	@grep '^CYCLE_SUMMARY' logs/run.log | tail -n 10 || true
	@echo '-- warnings and errors'
	@grep -E ' level=(warning|error|critical)( |$$)' logs/run.log | tail -n 40 || true

backtest-full: venv ## every bar of a candle folder (CANDLES=DIR): first that no later bar changes anything said, then the figures
	@test -n "$(CANDLES)" || { echo "no candles: make backtest-full CANDLES=DIR (files as run.py backtest --help names them)"; exit 2; }
	@$(PY) run.py backtest --candles "$(CANDLES)" --profile research --check-prefixes 50 $(ARGS)

torture: install ## the daemon against a faulty exchange, seeded
	@$(PY) run.py torture $(ARGS)

crash: install ## kill -9 the daemon N times while it trades and judge every restart; goes on where it stopped
	@$(PY) scripts/crash.py --kills $(N) --seed $(SEED) $(ARGS)

place-missing-stops: install ## show which positions lack a stop, and the stop that would be placed
	@$(PY) run.py place-missing-stops --dry-run $(ARGS)

place-missing-stops-live: install ## place them
	@$(PY) run.py place-missing-stops $(ARGS)

lock: ## compile the lock files from pyproject.toml (needs uv)
	uv pip compile -q --universal --generate-hashes --no-annotate --no-header --no-emit-index-url pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --group dev pyproject.toml -o requirements-dev.lock

clean: ## remove caches; data, logs and .venv stay
	@find . -path ./.venv -prune -o -type d \( -name __pycache__ -o -name '.*_cache' -o -name .hypothesis \) -print0 | xargs -0 rm -rf
	@rm -rf build dist .coverage*
