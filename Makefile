# make study   set everything up and run the miniature study
# make test    set everything up and run all tests
# make check   lint, format, types, floors
# make install only set up; leaves .venv/bin/vertebra

PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
# What tests check published records against, beside the environment and not in it; without it they have rules of their own.
SCHEMAS := --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.12 --dest .venv/schemas \
	every-eval-ever==0.3.0
READY := .venv/.ready

.PHONY: install study test check

install: $(READY)

# torch first and alone: what follows then finds it satisfied and never asks for another build.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip check
	-$(BIN)/python -m pip download $(SCHEMAS)
	touch $(READY)

study: install
	$(BIN)/vertebra run miniature

# The studies come last and in files side by side: each keeps a core busy for minutes.
test: install
	$(BIN)/python -m pytest -m "not study" -n auto --maxprocesses 8
	$(BIN)/python -m pytest -m study -n 2 --dist loadfile

check: install
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/lint-imports
	$(BIN)/mypy
