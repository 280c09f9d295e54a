# `make` lists what there is to do. Every target sets up .venv itself, once for each state of the
# requirements; nothing but Python 3.11 has to be there.

.DEFAULT_GOAL := help
.PHONY: help deploy preflight conformance bridge-image run unit test test-all sweep mutants second-opinion check sources templates bench package fmt clean audit scan

STAGE ?= dev
PARTS ?= counted package imports cpu busy limits
TESTS ?= test
IMAGE ?= credits-bridge:latest
PUSH ?=
# A system's own Python comes first: it is built with profiles of real programs, and pyenv's is not by default, which
# takes a quarter more CPU (decision 0087). Debian's makes no environments without its package python3.11-venv.
PYTHON ?= $(shell /usr/bin/python3.11 -c 'import ensurepip' 2> /dev/null && echo /usr/bin/python3.11 || command -v python3.11 || command -v python3)
BIN := .venv/bin
REQUIREMENTS := $(shell cat requirements.txt requirements-stack.txt requirements-dev.txt constraints.txt | cksum | cut -d' ' -f1)
READY := .venv/installed-$(REQUIREMENTS)
# What `make run` needs, which is a third of it; whoever has everything has this too.
STACK_READY := .venv/stack-$(REQUIREMENTS)
COMMAND := $(BIN)/credits
# An environment that another Python made, or another version of it, is made anew.
BASE := -c 'import sys; print(sys.base_prefix, sys.version)'
# A recent pip, and no compiling ahead, take a third of the time that Python 3.11's own pip takes.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check
define FRESH_VENV
$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else "Python 3.11 is needed: make PYTHON=/path/to/python3.11")' \
	&& { [ "$$(.venv/bin/python $(BASE) 2> /dev/null)" = "$$($(PYTHON) $(BASE))" ] || rm -rf .venv; } \
	&& $(PYTHON) -m venv .venv && $(INSTALL) pip==26.2.1
endef
SOURCES := app.py chalicelib infra tests
PYTEST := $(BIN)/python -m pytest -q
# Three workers suit two cores, since tests of the stack wait now and then (WORKERS=5 suits four). Tests of one group
# share an engine and stay together.
WORKERS ?= 3
PARALLEL := -n $(WORKERS) --dist loadgroup
# xdist takes large groups first, and groups of one test in this order: long ones must not come last, on one worker.
LONG := tests/stack tests/simulator
LONGEST_FIRST := $(LONG) $(filter-out $(LONG),$(patsubst %/,%,$(sort $(dir $(wildcard tests/*/test_*.py)))))
# One process: with two, each collects every test and reports it to a third, which costs more than such short tests.
SHORT := tests/laws tests/formats tests/bridge
# Nothing is compiled ahead, so what Python has compiled once has to be kept, whatever a machine prefers elsewhere.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STACK_READY) ## Run the whole system on loopback until Ctrl-C (KEEP=on, TRAFFIC=off, REDIS=on, API_PORT, AWS_PORT, NATS_PORT).
	@exec $(BIN)/python -m infra.local

# No unit test uses a property, a coroutine or a log: without these plugins they take a quarter less time.
unit: $(COMMAND) ## Run the unit tests, which takes seconds.
	@$(PYTEST) -p no:hypothesispytest -p no:anyio -p no:logging tests/unit

test: unit ## Run the tests: the unit tests first, for a quick answer, then all others but the slow ones.
	@$(PYTEST) --hypothesis-profile few -m "not slow" $(SHORT)
	@$(PYTEST) $(PARALLEL) --durations=10 --durations-min=3 -m "not slow" $(filter-out tests/unit $(SHORT),$(LONGEST_FIRST))

test-all: $(COMMAND) ## Run all tests, the slow ones too (WORKERS=3 suits two cores).
	@$(PYTEST) $(PARALLEL) --durations=20 $(LONGEST_FIRST)

sweep: $(READY) ## Try every kind of fault at every request of every kind of movement: an hour of CPU.
	@SWEEP_EVERY=1 $(PYTEST) $(PARALLEL) tests/simulator/test_simulator.py -k whatever_fails

mutants: $(READY) ## Put each of the deliberate bugs into a copy of the code: does the simulator catch it? (ONLY=part-of-a-name)
	@$(BIN)/python -m tests.mutants $(ONLY)

# 69 says that there was no engine to ask, for want of Maven or Java: that is said, and fails nothing.
second-opinion: $(READY) ## Ask AWS's own DynamoDB engine about the store and its races (fetched with Maven, Java 17).
	@$(BIN)/python -m infra.local.dynamodb_local pytest -q -rP -k "DynamoDB and Local or awss" \
		tests/contract tests/stack/test_races.py || [ $$? -eq 69 ]

check: $(COMMAND) ## Do what CI does (which takes TESTS=test-all): format, lint, types, architecture, documents, template, tests.
	@$(MAKE) --no-print-directory -j 2 --output-sync=target sources templates
	@echo "Tests" && $(MAKE) --no-print-directory $(TESTS)

# The linter of templates takes one core for a minute and a half: the other checks run beside it.
sources:
	@echo "Format" && $(BIN)/ruff format --check --quiet $(SOURCES)
	@echo "Lint" && $(BIN)/ruff check --quiet $(SOURCES)
	@echo "Types" && $(BIN)/mypy --no-error-summary
	@echo "Architecture" && $(BIN)/lint-imports --no-logo
	@echo "Documents" && $(BIN)/python -m infra.interfaces --check && $(BIN)/python -m infra.packaging.bundle --check

templates:
	@echo "Package and template" && $(BIN)/python -m infra.packaging.build dev && $(BIN)/python -m infra.packaging.build prod

audit: $(READY) ## Ask about known vulnerabilities of what is pinned; says so where nobody answers.
	@test -x .venv/audit/bin/pip-audit || ($(PYTHON) -m venv .venv/audit && .venv/audit/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-audit.txt)
	@$(BIN)/python -m infra.scanning.audit .venv/audit/bin/pip-audit

scan: $(READY) ## Scan templates and workflows: nothing but what infra/scanning/scan_exceptions.yaml argues.
	@test -x .venv/scan/bin/checkov || ($(PYTHON) -m venv .venv/scan && .venv/scan/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-scan.txt)
	@$(BIN)/python -m infra.scanning.scan .venv/scan/bin

preflight: $(READY) ## Look at the account before STAGE is deployed: limits, names, bucket, region, identity (STAGE=dev).
	@$(BIN)/python -m infra.deploying.preflight $(STAGE)

deploy: $(READY) ## Deploy STAGE to AWS: package, lint, show the changes, ask (YES=1 does not), follow (STAGE=dev).
	@$(BIN)/python -m infra.deploying.aws $(STAGE)

conformance: $(READY) ## Walk a stage's stack through its whole life and report (EMULATOR=1 in the emulator; STAGE=dev).
	@$(BIN)/python -m infra.conformance $(STAGE)

bridge-image: ## Build the bridge's image for both processors with Docker (IMAGE=registry/name:tag; PUSH=1 pushes it).
	@docker buildx build --platform linux/amd64,linux/arm64 -f infra/bridge/Dockerfile -t $(IMAGE) $(if $(PUSH),--push,) .

bench: $(READY) ## Measure: requests, units, CPU, cold start, size, busy merchants (PARTS="counted long", build/bench.json).
	@$(BIN)/python -m infra.bench --parts $(PARTS)

package: $(READY) ## Leave build/<STAGE>/sam.yaml and deployment.zip (STAGE=dev).
	@$(BIN)/python -m infra.packaging.build $(STAGE)

fmt: $(READY) ## Format the code and mend what the linter can mend.
	@$(BIN)/ruff check --fix --quiet $(SOURCES) || true
	@$(BIN)/ruff format $(SOURCES)

clean: ## Remove everything that was made, but .venv.
	@rm -rf build .local .chalice/deployments .coverage* .pytest_cache .mypy_cache .ruff_cache
	@rm -rf .hypothesis .import_linter_cache
	@find . -path ./.venv -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

$(COMMAND): $(READY) infra/commands/install.py
	@$(BIN)/python -m infra.commands.install

# What ships is installed a second time, for the functions' platform: side by side, since pip waits for the network.
$(STACK_READY):
	@echo "Setting up .venv for the local stack"
	@$(FRESH_VENV)
	@$(BIN)/python -m infra.packaging.dependencies & shipping=$$!; \
		$(INSTALL) -r requirements-stack.txt -c constraints.txt && wait $$shipping
	@$(BIN)/python -m infra.commands.install
	@rm -f .venv/stack-* && touch $@

$(READY):
	@echo "Setting up .venv for these requirements (about half a minute)"
	@$(FRESH_VENV)
	@$(INSTALL) -r requirements-dev.txt -c constraints.txt
	@rm -f .venv/installed-* .venv/stack-* && touch $@ $(STACK_READY)
