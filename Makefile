# Every target makes what it needs, .venv first, and does nothing twice.
PYTHON ?= python3
WORKERS ?= 2

BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup book test lint demo lab reproduce blender sync lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with the locked versions

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo 'requirements.lock is for Python 3.11: rm -rf .venv && make setup PYTHON=python3.11' >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --prefer-binary --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

book: $(READY) ## run every notebook at laptop scale, build the book in build/book/_build/html
	$(BIN)/python book/_ext/book.py build

# One thread a process: the workers share the cores. Nothing a test does may ask the network.
test lint: export OMP_NUM_THREADS = 1
test: export NUMBA_NUM_THREADS = 1
test: export MPLBACKEND = Agg
test: export HF_HUB_OFFLINE = 1
test: lint ## ruff, the tests, and every notebook at its default (CI) size
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
		--nbval-lax --nbval-cell-timeout=240 $(wildcard notebooks/*.ipynb) tests

lint: $(READY) ## ruff and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/lint-imports

demo: $(READY) ## animate the bundled picture into build/demo.gif
	mkdir -p build
	$(BIN)/puppetmaster animate puppetmaster_core/examples/cabinet.png \
		--drags puppetmaster_core/examples/cabinet.json --output build/demo.gif

# Threads that wait should sleep: beside a browser or another program, spinning ones take many times as long.
lab book demo reproduce: export OMP_WAIT_POLICY = PASSIVE
lab: $(READY) ## open the first notebook in JupyterLab
	$(BIN)/jupyter lab notebooks/00_quickstart.ipynb

SCALE ?= tiny
reproduce: $(READY) ## every table and figure again: SCALE=smoke (minutes), tiny, mini or svd
	$(BIN)/puppetmaster reproduce --scale $(SCALE)

# GPL, about 1 GB, exactly Python 3.11 and numpy 1: an environment of its own, reached through a subprocess only.
BLENDER_DEBIAN := libx11-6 libxext6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libice6 libgl1

blender: ## install Blender's Python module in .venv-blender, for the renderer "blender"
	test -x .venv-blender/bin/python || $(PYTHON) -m venv .venv-blender
	.venv-blender/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo 'bpy 4.5 wants Python 3.11: rm -rf .venv-blender && make blender PYTHON=python3.11' >&2; exit 2; }
	.venv-blender/bin/python -m pip install --quiet --disable-pip-version-check 'bpy>=4.5,<4.6' 'numpy<2'
	.venv-blender/bin/python -c 'import bpy; print("Blender", bpy.app.version_string)' \
		|| { echo 'Blender needs system libraries: apt-get install $(BLENDER_DEBIAN)' >&2; exit 2; }

sync: $(READY) ## write each notebook from its text in notebooks/src
	$(BIN)/python book/_ext/book.py sync

# Resolved in a scratch environment, torch first and by itself; its local suffix (+cpu) is dropped, so the line fits any build.
lock: ## resolve the newest versions pyproject.toml allows into requirements.lock
	rm -rf build/lock && mkdir -p build && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary \
		setuptools '.[notebooks,book,tests]'
	build/lock/bin/python -m pip check
	{ echo '# Made by `make lock` from pyproject.toml: base, notebooks, book and tests, for Linux and Python 3.11.'; \
	  build/lock/bin/python -m pip freeze --all --exclude pip --exclude puppetmaster-core \
	  | sed -E 's/^(torch==[^+]+)\+.*/\1/'; } > build/requirements.lock
	mv build/requirements.lock requirements.lock && rm -rf build/lock build/lib build/bdist.*

clean: ## remove what was built and cached; .venv stays
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . \( -path ./.venv -o -path ./.venv-blender \) -prune -o -name __pycache__ -type d -exec rm -rf {} +
