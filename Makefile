# Two commands: `make book` builds the site, `make test` checks everything; each sets up in .venv what it needs itself.
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv)
INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile)
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-emit-package llm-economics
JOBS ?= 2

.PHONY: help book pdf test lab outputs lint lock clean

help:  ## what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

book: .venv/.ready-site  ## build the site into _build/html; a failed build leaves the last good site in place
	@mkdir -p _build
	$(BIN)/python -m llm_economics.site build . -W -n --path-output _build/staging
	@rm -rf _build/html.old
	@if [ -d _build/html ]; then mv _build/html _build/html.old; fi
	@cp -R _build/staging/_build/html _build/html
	@rm -rf _build/html.old
	@echo "open _build/html/index.html"

pdf: book  ## print the whole book through Chromium into _build/the-price-of-a-token.pdf
	$(BIN)/python -m llm_economics.site.paper _build/html _build/the-price-of-a-token.pdf

test: .venv/.ready-test  ## run every test: formulas, data, notebooks, site
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

lab: .venv/.ready-lab  ## open JupyterLab on the chapters
	$(BIN)/jupyter lab chapters

outputs: .venv/.ready-chapters  ## run all notebooks again and store their outputs: chapters, then what reads them, then the landing page
	$(BIN)/python -m llm_economics.reruns.notebooks

lint: .venv/.ready-test  ## format and lint, notebooks too
	$(BIN)/ruff format .
	$(BIN)/ruff check .

lock:  ## make the versions of everything from pyproject.toml: requirements.txt, and requirements.lock with hashes (needs uv)
	$(COMPILE) --no-annotate pyproject.toml -o requirements.txt
	$(COMPILE) --constraints requirements.txt --generate-hashes pyproject.toml -o requirements.lock
	@echo "-e ." >> requirements.txt

clean:  ## remove the built site
	rm -rf _build

# An environment with one extra of pyproject.toml: what the lock says, each file by its hash, compiled on all cores.
.venv/.ready-%: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python .ci/locked.py $* > .venv/$*.lock
	$(INSTALL) --require-hashes -r .venv/$*.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib lib || true
	@touch $@ $(if $(filter test,$*),.venv/.ready-site .venv/.ready-chapters) $(if $(filter lab,$*),.venv/.ready-chapters)
