# The course's commands; `make` alone lists them.
#
# Everything runs in the virtual environment .venv, which is made on first use.
# Another Python: make book PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000

SHELL := bash

# $(call quiet,COMMAND): without what TensorFlow and the kernel say on every start,
# some of it headed WARNING, before any setting can stop them.
CHATTER := IPKernelApp\] WARNING . Kernel is running|absl::Initialize|^I0000 |AVX
quiet = { set -o pipefail; $(1) 2>&1 >&3 | sed -u -E '/$(CHATTER)/d' >&2; } 3>&1
export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := help
.PHONY: help book book-ko pdf epub pdf-ko epub-ko check test test-all test-browser check-lowest test-lowest \
  test-colab test-newest test-pins bench lighthouse links serve map chapter translation \
  repository format lint clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

# Environments

# $(call environment,FOLDER): make it where it is missing or broken.
define environment
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || { \
  $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
    || { echo "This needs Python 3.11 to 3.13; name one: PYTHON=python3.12"; exit 1; }; \
  echo "Making $(1) with $$($(PYTHON) --version) ..."; \
  $(PYTHON) -m venv --clear $(1) || $(PYTHON) -m virtualenv --clear $(1); }
@echo "Installing into $(1) (minutes on first use) ..."
endef

# The package itself is linked, not copied, and is built with the setuptools from
# requirements.txt, so that it needs no network.
LINK := -m pip install --quiet --no-deps --no-build-isolation --editable .

# Made anew when a pin or the package's settings change.
.venv/installed: requirements.txt pyproject.toml
	$(call environment,.venv)
	@$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@$(BIN)/python $(LINK)
	@touch $@

# Other versions of what the chapters use, the same ones of what tests them.
.venv-%/installed: tests/versions/%.txt requirements.txt pyproject.toml
	$(call environment,.venv-$*)
	@.venv-$*/bin/python -m pip install --quiet --requirement $< \
	  --requirement <(sed -n '/^# The tests/,$$p' requirements.txt)
	@.venv-$*/bin/python $(LINK)
	@touch $@

# The newest of everything that requirements.txt names, within Jupyter Book 1.
.venv-newest/installed: requirements.txt pyproject.toml
	$(call environment,.venv-newest)
	@.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager \
	  'jupyter-book<2' $$(sed 's/[=#].*//' requirements.txt)
	@.venv-newest/bin/python $(LINK)
	@touch $@

# The book

# Without its environment, Sphinx reads all pages again. It does not notice by itself that
# what shows on all of them has changed, and would not repeat a warning.
ENVIRONMENT := _build/.doctrees/environment.pickle
KOREAN := _build/ko/_build/.doctrees/environment.pickle
LOOK := _toc.yml .venv/installed book/_extension book/_static book/_templates

book: .venv/installed  ## run every chapter and build the book (5 minutes)
	@[[ -z $$(find $(LOOK) -type f -not -name '*.pyc' -newer $(ENVIRONMENT) 2>/dev/null) ]] \
	  || rm $(ENVIRONMENT)
	@$(call quiet,$(BIN)/jupyter-book build . -W -n --keep-going) || { \
	  rm -f $(ENVIRONMENT); \
	  echo; echo "The book is not in order: see the warnings above."; exit 1; }
	@echo; echo "The book: $(CURDIR)/_build/html/index.html"

# Its results are those of the English pages, so that no chapter runs for it.
book-ko: book  ## the pages in Korean, into _build/html/ko (2 minutes)
	@$(BIN)/python book/_extension/translation.py stage
	@[[ -z $$(find $(LOOK) -type f -not -name '*.pyc' -newer $(KOREAN) 2>/dev/null) ]] \
	  || rm $(KOREAN)
	@$(call quiet,$(BIN)/jupyter-book build _build/ko -W -n --keep-going) || { \
	  rm -f $(KOREAN); \
	  echo; echo "The Korean pages are not in order: see the warnings above."; exit 1; }
	@rm -rf _build/html/ko && cp -R _build/ko/_build/html _build/html/ko
	@echo; echo "The Korean pages: $(CURDIR)/_build/html/ko/index.html"

pdf epub: book  ## the whole book as one file, _build/html/digits-from-scratch.*
	@$(BIN)/python book/_extension/editions.py $@ _build/html

# The PDF needs a Korean font; Debian's is in the package fonts-noto-cjk.
pdf-ko epub-ko: book-ko  ## the same in Korean, in _build/html/ko
	@$(BIN)/python book/_extension/editions.py $(@:-ko=) _build/ko/_build/html
	@cp _build/ko/_build/html/*.$(@:-ko=) _build/html/ko/

links: .venv/installed  ## follow every link that leads out of the book
	@$(call quiet,$(BIN)/jupyter-book build . -W -n --keep-going --builder linkcheck \
	  --path-output _build/links)

serve:  ## show the built book at http://localhost:8000 (PORT=...)
	@[[ -e _build/html ]] || { echo "Run \`make book\` first."; exit 1; }
	@echo "The book: http://localhost:$(PORT) (Ctrl+C ends it)"
	@$(PYTHON) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

chapter: .venv/installed  ## begin a chapter, its module and its test: NAME=dropout
	@$(BIN)/python book/_extension/chapters.py new "$(NAME)"

map: .venv/installed  ## write the line of steps into all chapters, from _toc.yml
	@$(BIN)/python book/_extension/chapters.py map

# DONE="book/ko/intro.md book/ko/01_tensors.ipynb#e891a629" marks what is translated.
translation: .venv/installed  ## let the Korean pages follow, list what is left (DONE=...)
	@$(call quiet,$(BIN)/python book/_extension/translation.py $(DONE))

# Only in addresses: of GitHub, Colab and Binder, and of the pages.
repository:  ## say where the repository is: URL=OWNER/NAME, on GitHub
	@new=$${URL%/}; new=$${new%.git}; export new=$${new#https://github.com/}; \
	[[ $$new =~ ^[A-Za-z0-9]+(-[A-Za-z0-9]+)*/[A-Za-z0-9._-]*[A-Za-z0-9_-]$$ \
	  && $$new != *.github.io ]] \
	  || { echo "URL must be OWNER/NAME or https://github.com/OWNER/NAME, got $$URL"; \
	    exit 1; }; \
	export old=$$(sed -n 's#^  url: https://github.com/##p' _config.yml); \
	git grep -lzF -e "/$$old" -e .github.io | xargs -0 perl -pi \
	  -e 's#((github\.com|github|gh)/)\Q$$ENV{old}\E(?![\w-])#$$1$$ENV{new}#g;' \
	  -e 'BEGIN { @pages = map { m#(.*)/(.*)#; lc($$1).".github.io/$$2" } @ENV{"old", "new"} }' \
	  -e 's#\Q$$pages[0]\E(?![\w-])#$$pages[1]#g'

# Tests

check: .venv/installed  ## unit tests, without data, processes or browser (1 minute)
	@$(BIN)/python -m pytest $(UNIT)

test: .venv/installed  ## all that readers rely on (10 minutes, 5 after make book)
	$(call run_tests,$(BIN)/python)

test-all: .venv/installed  ## also all that is slow (40 minutes)
	$(call run_tests,$(BIN)/python,-m "" --hypothesis-profile thorough)

UNIT := -m "not slow and not mnist and not integration" tests

# $(call run_tests,PYTHON,OPTIONS): each chapter once, here or in `make book` before.
define run_tests
@chapters=$$($(1) book/_extension/results.py) || exit 1; \
for chapter in book/*.ipynb; do \
  [[ $$chapters == *$$chapter* ]] || ran+=" $$(basename $$chapter .ipynb)"; done; \
[[ -z $$ran ]] || echo "Not run again, since make book ran them:$$ran"; \
$(1) -m pytest --nbmake $(2) tests $$chapters
endef

IN_BROWSER := pages drawing_page training_page

# By Debian's name for it; Google Chrome, where there is one, will do.
BROWSER := $(BIN)/python -c 'from sys import path; path.append("book/_extension"); \
  import editions; editions.find_browser()' 2>/dev/null

test-browser: .venv/installed  ## every page of the built book in a browser (6 minutes)
	@$(BROWSER) || { command -v apt-get >/dev/null && \
	  $$([[ $$(id -u) = 0 ]] || echo sudo) sh -c \
	    'apt-get update -qq && apt-get install -y -qq chromium' >/dev/null; } \
	  || { echo "Install Chromium or Google Chrome, then try again."; exit 1; }
	@$(BIN)/python -m pytest -m "" $(patsubst %,tests/book/test_%.py,$(IN_BROWSER))

# For the versions that are pinned only, since they look at the built book.
PINNED := $(patsubst %,--ignore tests/book/test_%.py,$(IN_BROWSER)) \
  --ignore tests/book/test_editions.py

check-lowest: .venv-lowest/installed  ## unit tests on the oldest versions (1 minute)
	@.venv-lowest/bin/python -m pytest $(UNIT) $(PINNED)

test-lowest: .venv-lowest/installed  ## tests and chapters on the oldest versions
	@.venv-lowest/bin/python -m pytest --nbmake tests book/*.ipynb $(PINNED)

# COLAB_PYTHON=... takes an interpreter as it is, such as the one in Colab's own image,
# and runs the chapters in it as Colab does.
test-colab: COLAB := $(if $(COLAB_PYTHON),-m "" tests/book/test_colab.py,--nbmake tests book/*.ipynb)
test-colab: .venv-colab/installed  ## tests and chapters on Google Colab's versions
	@COLAB_PYTHON=$(COLAB_PYTHON) .venv-colab/bin/python -m pytest $(COLAB) $(PINNED)

test-newest: .venv-newest/installed  ## book and tests on the newest versions
	@.venv-newest/bin/jupyter-book build . -W -n --keep-going --all
	$(call run_tests,.venv-newest/bin/python)

test-pins: .venv/installed  ## the pins fit together on every supported Python
	@for version in 3.11 3.12 3.13; do \
	  $(BIN)/python -m pip install --quiet --dry-run --ignore-installed \
	    --only-binary :all: --python-version $$version --target _build/none \
	    --requirement requirements.txt && echo "Python $$version: yes" || exit 1; done

# Benchmarks

# PyTorch and JAX take part where they are installed: benchmarks/requirements.txt.
bench: .venv/installed  ## speed and accuracy against Keras and others (15 minutes)
	@for part in epoch scaling accuracy; do \
	  $(call quiet,$(BIN)/python benchmarks/$$part.py) || exit 1; done

# LIGHTHOUSE=/path/to/lighthouse takes an installed one; else npx fetches it.
lighthouse: .venv/installed  ## what each built page loads, and Lighthouse's scores
	@$(BIN)/python benchmarks/pages.py

# Order

format: .venv/installed  ## set the code and the chapters in order
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	@$(BIN)/nbstripout --keep-id book/*.ipynb

lint: .venv/installed  ## say what is not in order
	@$(BIN)/ruff check .; checked=$$?; \
	  $(BIN)/ruff format --check . || checked=1; \
	  $(BIN)/nbstripout --keep-id --verify book/*.ipynb || { checked=1; \
	    echo "These hold outputs, or numbers of runs; make format takes them out."; }; \
	  SKIP=ruff-check,ruff-format,nbstripout $(BIN)/pre-commit run --all-files || checked=1; \
	  exit $$checked

clean:  ## remove what was built (the environments stay; delete .venv* for that)
	@rm -rf _build .pytest_cache .ruff_cache *.egg-info
	@find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
