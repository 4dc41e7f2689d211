# The course's commands; `make` alone lists them.
#
# Everything runs in the virtual environment .venv, which is made on first use.
# Another Python: make book PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
PORT ?= 8000

SHELL := bash

# What TensorFlow and the kernel say on every start, some of it headed WARNING.
CHATTER := IPKernelApp|absl::Initialize|^I0000 |AVX

.DEFAULT_GOAL := help
.PHONY: help book test serve format lint clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

# Made anew when a pin or the package's settings change. The first line mends a
# missing or broken environment; the package itself is linked, not copied, and is
# built with the setuptools from requirements.txt, so that it needs no network.
$(INSTALLED): requirements.txt pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	    || { echo "This needs Python 3.11 to 3.13; name one: PYTHON=python3.12"; \
	         exit 1; }; \
	  echo "Making $(VENV) with $$($(PYTHON) --version) ..."; \
	  $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing requirements.txt into $(VENV) (minutes on first use) ..."
	@$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

book: $(INSTALLED)  ## run every chapter and build the book
	@set -o pipefail; $(BIN)/jupyter-book build . -W -n --keep-going 2>&1 \
	  | grep --line-buffered -v -E '$(CHATTER)' || { \
	  echo; echo "The book is not in order: see the warnings above."; \
	  find _build/html/reports -name '*.err.log' 2>/dev/null \
	    -exec echo "What the failing cell said:" {} \;; exit 1; }
	@echo; echo "The book: $(CURDIR)/_build/html/index.html"

test: $(INSTALLED)  ## unit tests, checks of the book, and every chapter's code
	@$(BIN)/python -m pytest --nbmake tests book

serve:  ## show the built book at http://localhost:8000 (PORT=...)
	@$(PYTHON) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

format: $(INSTALLED)  ## set the code and the chapters in order
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	@$(BIN)/nbstripout book/*.ipynb

lint: $(INSTALLED)  ## say what is not in order
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

clean:  ## remove what was built (the environment stays; delete .venv for that)
	@rm -rf _build .pytest_cache .ruff_cache *.egg-info
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
