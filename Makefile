# Set-up, book and tests: `make help` lists the targets.
#
#   make book                       everything a reader needs, from a fresh clone
#   make test                       everything a contributor needs
#   make PYTHON=python3.12 book     another Python, 3.11 to 3.13
#   make TORCH=cpu book             PyTorch's small CPU build instead of the CUDA one (several GB less)
#   make REPOSITORY=https://github.com/OWNER/NAME book    links for changes, questions, Colab and Binder

SHELL := /bin/bash
PYTHON ?= python3
TORCH ?=
PORT ?= 8000
REPOSITORY ?=
PROFILE ?= demo
BIN := .venv/bin
READY := .venv/.ready
ASSETS := book/_vendor/.ready

.DEFAULT_GOAL := help
.PHONY: help setup book pdf slides test test-all lab notebooks figures serve lint format bench demo wheel lock clean distclean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

setup: $(READY) ## create .venv and install what requirements.lock names; nothing when it is up to date

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11 to 3.13 is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 …"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (several GB the first time, unless TORCH=cpu)"
ifeq ($(TORCH),cpu)
	$(BIN)/python -m pip install --quiet $$(grep -E '^torch(vision)?==' requirements.lock) \
	  --index-url https://download.pytorch.org/whl/cpu
endif
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(ASSETS): data_scripts/vendor.py requirements.lock | $(READY)
	$(BIN)/python data_scripts/vendor.py
	@touch $@

export COURSE_REPOSITORY := $(REPOSITORY)
BUILD := $(BIN)/jupyter-book build book --config "$(CURDIR)/_config.yml" --toc "$(CURDIR)/_toc.yml" \
  --path-output . -W -n --keep-going

# A failed build forgets its page cache: Sphinx shows a page's warnings only when it reads the page.
book: $(READY) $(ASSETS) ## run every chapter and build the course as HTML in _build/html
	@$(BUILD) || { rm -rf _build/.doctrees; exit 1; }
	@echo "The course: file://$(CURDIR)/_build/html/index.html"

pdf: book ## print the whole course as _build/course.pdf; needs Chromium
	@$(BUILD) --builder singlehtml
	$(BIN)/python -m tests.book.pdf _build/course.pdf

slides: $(READY) ## write a deck of slides a chapter to build/slides, from text and records; runs no chapter
	$(BIN)/python book/_ext/decks.py build/slides

# A process a core with a thread each: small models gain little from threads, and much time is spent waiting for others.
# Folders come first, with the longest files; sorted by their number of tests, the chapters would run last and alone.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadscope --no-loadscope-reorder \
  --max-worker-restart 0

test: lint book ## lint, build the book, then run the tests, those in a browser included
	$(PYTEST)

test-all: lint book ## the same with the slow tests
	$(PYTEST) -m ''

lab: $(READY) ## open JupyterLab, where a chapter opens as a notebook
	@$(BIN)/jupytext-config --settings-file .venv/share/jupyter/lab/settings/overrides.json set-default-viewer markdown myst
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/book

notebooks: book ## copy the chapters as notebooks to build/notebooks
	@mkdir -p build/notebooks
	cp _build/html/_sources/*.ipynb build/notebooks/

figures: $(READY) ## run the chapters headlessly and save their figures; PROFILE=demo, cpu, gpu or paper
	$(BIN)/tutorial figures --profile $(PROFILE)

serve: book ## show the built course at http://localhost:8000 (PORT=…)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lint: $(READY) ## ruff, codespell and the type check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy tutorial_lib

format: $(READY) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## time the library and its peers on this machine
	$(BIN)/tutorial bench

demo: $(READY) ## the first taste: train, backdoor, measure, one picture
	$(BIN)/tutorial demo

wheel: ## build the package with its records as build/wheel/*.whl; needs no .venv
	@rm -rf build/wheel
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	@ls build/wheel/*.whl

lock: $(READY) ## write requirements.lock from what is installed in .venv
	$(BIN)/python -m pip install --quiet --upgrade -e '.[bench,book,data,dev,neighbours,ray]'
	( echo "# Written by 'make lock'. PyTorch picks its own CUDA packages, so none is named here."; \
	  $(BIN)/python -m pip freeze --all --exclude-editable --exclude pip --exclude backdooring-clip | sed 's/+cpu$$//' \
	  | grep -vE '^(nvidia|cuda|triton)|@ ' ) > requirements.new
	mv requirements.new requirements.lock

clean: ## remove what was built; keeps .venv
	rm -rf _build build book/_vendor

distclean: clean ## remove .venv too
	rm -rf .venv
