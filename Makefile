# The commands of this project. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
STACK ?= staging

# Where scripts/bootstrap puts uv on a machine that has none.
export PATH := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/airflow-iac/uv/bin:$(PATH)

# Each run would compile every module it imports, which is half of what short commands take.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
EMBEDDED := .venv/bin/embedded
# Runs a command against the embedded cloud; it sets the environment and nothing else.
IN_CLOUD := $(EMBEDDED) run --

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv:
	@scripts/bootstrap

.PHONY: setup
setup: venv ## install or build what `make up` needs, into the cache (from nothing: 10 to 15 minutes)
	@$(EMBEDDED) setup

.PHONY: up
up: venv ## start the embedded cloud, deploy STACK (default: staging) and prove it with a DAG run
	@.venv/bin/airflow-env config $(STACK) >/dev/null
	@$(EMBEDDED) setup
	@$(EMBEDDED) up
	@$(IN_CLOUD) airflow-env up $(STACK)
	@echo "On this machine: make open STACK=$(STACK), make password STACK=$(STACK); any other command by $(IN_CLOUD) ..."

.PHONY: open
open: venv ## make the Airflow of STACK reachable at http://127.0.0.1:8080 until Ctrl-C
	@$(IN_CLOUD) airflow-env open $(STACK)

.PHONY: password
password: venv ## print the password of the first administrator of STACK
	@$(IN_CLOUD) airflow-env password $(STACK)

# These reach the embedded cloud alone, where a persistent environment may end without a second word. Elsewhere `airflow-env down` refuses.
.PHONY: down
down: venv ## delete all environments and the cluster, and stop the embedded cloud; STACK=... ends that one alone
ifneq ($(origin STACK),file)
	@$(IN_CLOUD) airflow-env down $(STACK) --retire
else
	@scripts/down
endif

.PHONY: check
check: venv ## format, lint, types, unit and graph tests (a minute, after the first time)
	@$(PYTHON) tests/run_tiers.py check unit graph

.PHONY: test
test: venv ## every tier that this machine can run
	@$(PYTHON) tests/run_tiers.py

.PHONY: matrix
matrix: venv ## every stack with every chart: deployed, proved by its canary, deleted
	@$(EMBEDDED) setup
	@$(PYTHON) tests/matrix.py

.PHONY: bench
bench: venv ## measure against the targets; BENCH_SETUP=1 also measures a set-up from nothing
	@$(PYTHON) tests/bench/bench.py
