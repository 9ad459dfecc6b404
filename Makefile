# Two commands: `make book` builds the site, `make test` checks everything; both set up what they need in .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SUMMARIES := chapters/contradictions.ipynb chapters/how-to-read.ipynb chapters/scorecard.ipynb
CHAPTERS := $(filter-out $(SUMMARIES),$(wildcard chapters/*.ipynb))
JOBS ?= 2

.PHONY: help book pdf test lab outputs lint lock clean

help:  ## what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

book: $(READY)  ## build the site into _build/html; a failed build leaves the last good site in place
	@mkdir -p _build
	$(BIN)/jupyter-book build . -W -n --path-output _build/staging
	@rm -rf _build/html.old
	@if [ -d _build/html ]; then mv _build/html _build/html.old; fi
	@cp -R _build/staging/_build/html _build/html
	@rm -rf _build/html.old
	@echo "open _build/html/index.html"

pdf: book  ## print the whole book through Chromium into _build/the-price-of-a-token.pdf
	$(BIN)/python -m llm_economics.site.paper _build/html _build/the-price-of-a-token.pdf

test: $(READY)  ## run every test: formulas, data, notebooks, site
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

lab: $(READY)  ## open JupyterLab on the chapters
	$(BIN)/jupyter lab chapters

outputs: $(READY)  ## run all notebooks again and store their outputs: chapters, then what reads them, then the landing page
	$(BIN)/python -m llm_economics.reruns.notebooks $(CHAPTERS)
	$(BIN)/python -m llm_economics.reruns.notebooks $(SUMMARIES)
	$(BIN)/python -m llm_economics.reruns.notebooks index.ipynb

lint: $(READY)  ## format and lint, notebooks too
	$(BIN)/ruff format .
	$(BIN)/ruff check .

lock:  ## make requirements.txt from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate pyproject.toml -o requirements.txt
	@echo "-e ." >> requirements.txt

clean:  ## remove the built site
	rm -rf _build

$(READY): requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $(READY)
