# make run and make test each work alone on a fresh checkout.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install install-dev run test lint benchmark clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -e . -c constraints.txt
	@touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -e ".[dev]" -c constraints.txt
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed ## Create .venv and install the project

install-dev: $(VENV)/.installed-dev ## Create .venv and install the project with its tools

# The main job, then the same without repair, and a network that is only augmented.
RUN := multirun/mnist_repair/$(shell date +%Y-%m-%d_%H-%M-%S)
run: install ## Train, find out why it fails, repair, compare with what else one could do (ARGS="seed=1 ...")
	$(BIN)/python train.py -m +experiment=mnist_repair repair.strategy=pattern_augments,none,augment \
		repair.patience=8 hydra.sweep.dir=$(RUN) $(ARGS)
	$(BIN)/python scripts/compare.py $(RUN)

# Files stay whole and in order: the long ones, which share their runs, begin first.
test: install-dev ## Run all tests (ARGS="-k ranking")
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: install-dev ## Check style and types
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --no-cache --check .
	rm -rf build/types && mkdir -p build/types && cp -Rp rnnrepair build/types
	cp -Rp callbacks configs datamodules build/types/rnnrepair
	$(BIN)/mypy

benchmark: install ## Measure speed and memory as ratios
	$(BIN)/python scripts/benchmark.py $(ARGS)

clean: ## Remove what was built
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
