# AI Chat Studio. `make run` and `make test` need Python 3.11 or newer, make and git; they get everything else themselves,
# into .venv and frontend/node_modules, and do only what has changed since the last time (.ci/setup.py).
.DEFAULT_GOAL := help
.PHONY: help run demo test setup setup-test bench soak lock clean

PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,$(shell $(python) -c \
	'import sys; print("$(python)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)) python3)
VENV := .venv/bin
COMPILE := $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"

help: ## Show this
	@echo "make run     set everything up and serve the studio (PORT, STUDIO_DATA, REDIS_URL, DATABASE_URL change it;"
	@echo "             DEV=1: plugins are swapped when they are saved)"
	@echo "make demo    set everything up and show it: a real model, a tool call, a PDF"
	@echo "make test    set everything up and run every check and test"
	@echo "make bench   measure; see docs/benchmarks.md"
	@echo "make soak    the tests that run for minutes"
	@echo "make lock    compile the requirements files from pyproject.toml (UPGRADE=1 takes newer versions)"
	@echo "make clean   remove what the commands above made, except var/ (your data)"

run: setup
	@exec $(VENV)/python -m aichat.launcher

demo: setup
	@exec $(VENV)/python manage.py demo

test: setup-test
	@exec $(VENV)/python .ci/check.py

setup:
	@$(PYTHON) .ci/setup.py run

setup-test:
	@$(PYTHON) .ci/setup.py test

bench: setup-test
	@exec $(VENV)/python -m tests.bench

soak: setup-test
	@exec $(VENV)/python -m pytest -m soak tests

lock: setup
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml -o requirements.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --group pyproject.toml:frontend -o frontend/requirements.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --group dev -o tests/requirements.txt

clean:
	rm -rf .venv frontend/node_modules frontend/dist tests/clients/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find aichat plugins_app installed_plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +
