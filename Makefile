# make demo   sets everything up and runs Spotter on the bundled footage
# make test   sets everything up and runs every test (TRAIN=1: those that need torch too)
# make check  formatting, lint and types
# make lock   resolves requirements/*.lock again (needs uv)

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
TRAIN  ?= $(if $(CI),1,)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
RUN_OK := $(VENV)/.run-ok
TEST_OK := $(VENV)/.test-ok$(if $(TRAIN),-train,)
EDITABLE = $(PIP) --no-deps --no-build-isolation --editable .

.PHONY: demo test check format lock clean

demo: $(RUN_OK)
	$(BIN)/spotter demo

test: $(TEST_OK) check
	$(BIN)/python -m pytest

check: $(TEST_OK)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

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

$(TEST_OK): requirements/test.lock $(if $(TRAIN),requirements/train.txt) pyproject.toml | $(BIN)/python
	@echo "Installing Spotter and its tools into $(VENV) …"
	$(PIP) --require-hashes --no-deps -r requirements/test.lock
	$(if $(TRAIN),$(PIP) -r requirements/train.txt)
	$(EDITABLE)
	@touch $@ $(RUN_OK)

RESOLVE = uv pip compile --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
	--no-emit-package opencv-python pyproject.toml requirements/build.in

lock:
	$(RESOLVE) --extra cpu --extra server --extra dev -o requirements/test.lock
	$(RESOLVE) --extra cpu --extra server -c requirements/test.lock -o requirements/run.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
