# make demo   sets everything up and runs Spotter on the bundled footage
# make install   sets everything up for `spotter up` and the other commands
# make test   sets everything up and runs every test (TRAIN=1: those that need torch too)
# make soak   eight real RTSP cameras for ten minutes, one killed every 16 s (SOAK_ENGINE=opencv or deepstream, SOAK_SECONDS=…)
# make screenshots   a picture of every page of the running demo, for docs/pages.md (Korean ones need a font, such as fonts-nanum)
# make check  formatting, lint and types
# make translations   takes new texts of the dashboard into its catalogues, to be translated
# make lock   resolves requirements/*.lock again (needs uv)

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
TRAIN  ?= $(if $(CI),1,)
# PyGObject has no wheel: it is compiled where Debian's libgirepository1.0-dev, pkg-config and a C compiler are.
# GSTREAMER=1 insists on it; empty leaves it out, and the tests that need it are skipped.
GSTREAMER ?= $(shell pkg-config --exists gobject-introspection-1.0 2>/dev/null && command -v cc >/dev/null && echo auto)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Without torch, what is built on it has no types: no error then, but TRAIN=1 checks that, too, and so does CI.
MYPY   := $(if $(TRAIN),,--no-warn-unused-ignores $(addprefix --disable-error-code=,import-not-found misc untyped-decorator no-any-return))
RUN_OK := $(VENV)/.run-ok
TEST_OK := $(VENV)/.test-ok$(if $(TRAIN),-train,)$(if $(GSTREAMER),-gstreamer,)
# Without pycairo, which is for drawing; the build tools are installed first, so that their hashes are checked, too.
PYGOBJECT = $(PIP) --require-hashes --no-deps -r requirements/gstreamer-build.lock && PATH="$(abspath $(BIN)):$$PATH" \
	$(PIP) --require-hashes --no-deps --no-build-isolation --config-settings=setup-args=-Dpycairo=disabled \
	-r requirements/gstreamer.lock
# The wheel asks for another Python than ours, but is nothing but types.
STUBS = $(PIP) --require-hashes --no-deps --ignore-requires-python --upgrade -r requirements/stubs.txt
EDITABLE = $(PIP) --no-deps --no-build-isolation --editable .

.PHONY: demo install test soak screenshots check format lock translations clean

demo: $(RUN_OK)
	$(BIN)/spotter demo

install: $(RUN_OK)

test: $(TEST_OK) check
	$(BIN)/python -m pytest

soak: $(TEST_OK)
	$(BIN)/python -m pytest -s tests/pipeline/soak_cameras.py

screenshots: $(TEST_OK)
	SPOTTER_SCREENSHOTS=docs/images/pages $(BIN)/python -m pytest tests/e2e/test_demo.py -k "healthy or ends_and or persons_day"

check: $(TEST_OK)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(MYPY)

format: $(TEST_OK)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Spotter needs Python 3.10 or newer: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv is missing: apt install python3-venv, or your system's package of it"; exit 1; }

$(RUN_OK): requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "Installing Spotter into $(VENV) …"
	$(PIP) --require-hashes --no-deps -r requirements/run.lock
	$(EDITABLE)
	@touch $@

$(TEST_OK): requirements/test.lock requirements/stubs.txt $(if $(TRAIN),requirements/train.txt) $(if $(GSTREAMER),requirements/gstreamer.lock) \
		pyproject.toml | $(BIN)/python
	@echo "Installing Spotter and its tools into $(VENV) …"
	$(PIP) --require-hashes --no-deps -r requirements/test.lock
	$(STUBS)
	$(if $(TRAIN),$(PIP) -r requirements/train.txt)
	$(if $(GSTREAMER),$(PYGOBJECT) $(if $(filter auto,$(GSTREAMER)),|| echo "PyGObject did not compile: tests that need GStreamer are skipped",))
	$(EDITABLE)
	@touch $@ $(RUN_OK)

TEXTS := dashboard/translations

translations: $(TEST_OK)
	@mkdir -p build
	cd dashboard && ../$(BIN)/pybabel -q extract -F translations/babel.cfg -k _l -k mark -k t --add-location file \
	  --sort-output --omit-header --no-wrap -o ../build/messages.pot .
	for language in ko; do $(BIN)/pybabel -q update -i build/messages.pot -o $(TEXTS)/$$language.po -l $$language \
	  --no-fuzzy-matching --ignore-obsolete --omit-header --no-wrap; done

PIN = uv pip compile --universal --python-version 3.10 --generate-hashes --no-header --no-annotate
RESOLVE = $(PIN) --no-emit-package opencv-python pyproject.toml requirements/build.in

lock:
	$(RESOLVE) --extra cpu --extra server --extra dev -o requirements/test.lock
	$(RESOLVE) --extra cpu --extra server -c requirements/test.lock -o requirements/run.lock
	$(PIN) -c requirements/test.lock requirements/gstreamer-build.in -o requirements/gstreamer-build.lock
	$(PIN) --no-deps requirements/gstreamer.in -o requirements/gstreamer.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
