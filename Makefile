# Everything a developer runs. `make test` on a fresh machine needs Python 3.11+ and make, nothing else.

PYTHON ?= python3.11 python3.12 python3.13 python3.14 python3
VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
CODE   := $(wildcard drainer tests bench demo rollout docs e2e chart/files image)
NEWEST := .venv-newest/bin/python -m pytest -o cache_dir=.pytest_cache/newest
PIP    := -m pip install -qq --disable-pip-version-check

# An environment in $(1), made by the first interpreter that runs: a shim may exist and still refuse.
define venv
@for p in $(PYTHON); do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	"$$p" -c 'import ensurepip, venv' 2>/dev/null || { venvless="$$venvless $$p"; continue; }; \
	exec "$$p" -m venv --clear $(1); \
done; \
if [ -n "$$venvless" ]; then \
	echo "Python's venv module is missing for:$$venvless; install it (Debian, Ubuntu: apt install python3-venv)." >&2; \
else \
	echo "No Python 3.11 or newer runs here (tried: $(PYTHON)); install one or name it with PYTHON=." >&2; \
fi; exit 1
endef

.DEFAULT_GOAL := help
.PHONY: chart help setup demo page pictures test check fmt lint types contracts docs cover bench clients rollout e2e node lock clean test-newest test-again test-newest-again test-wheel delivery image sbom

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## .venv with the locked requirements; the others do it by themselves

# Again only when what is to be installed has changed.
$(READY): requirements/dev.txt pyproject.toml
	@echo "Setting up $(VENV) ..."
	$(call venv,$(VENV))
	@$(PY) $(PIP) --require-hashes -r requirements/dev.txt
	@$(PY) $(PIP) --no-deps --no-build-isolation -e .
	@$(PY) -m pip check
	@touch $@

demo: setup ## a drain to look at
	@$(PY) -m demo

page: setup ## the same with a minute to open the agent's page in a browser; docs/page.md
	@$(PY) -m demo --lead 60

pictures: setup ## docs/page-*.png anew, by Chromium
	@$(PY) docs/page_pictures.py

test: setup ## all tests with coverage; PYTEST_ARGS='-k word' for some, without
ifdef PYTEST_ARGS
	$(PY) -m pytest $(PYTEST_ARGS)
else
	@$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report
endif

check: lint types contracts delivery ## lint, types, contracts and delivery

fmt: setup ## format, and mend what can be mended
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

lint: setup ## style and spelling
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/codespell

types: setup ## mypy, strict
	$(PY) -m mypy $(CODE)

contracts: setup ## who may import whom: .importlinter
	$(VENV)/bin/lint-imports --no-logo

delivery: setup ## the Dockerfile and the workflows
	$(VENV)/bin/hadolint Dockerfile
	$(VENV)/bin/yamllint --strict .github
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/zizmor --offline --quiet --persona pedantic .github

docs: setup ## the parts of docs/, chart/ and kustomize/ that are made from code
	@$(PY) docs/generate.py
	@$(PY) docs/components.py
	@$(PY) docs/dashboard.py

chart: setup ## the Helm chart as dist/drainer-VERSION.tgz, after a strict lint
	@$(PY) docs/package_chart.py dist

cover: setup ## the last run's coverage as htmlcov/index.html
	@$(PY) -m coverage html --fail-under=0

bench: setup ## the figures in the README
	@$(PY) -m bench

clients: setup ## what client libraries do when their connection ends: docs/how-websockets-end.md
	@$(PY) -m bench.clients

rollout: setup ## a rolling restart with and without the agent, measured; ROLLOUT_ARGS='--help'
	@$(PY) -m rollout $(ROLLOUT_ARGS)

e2e: setup ## the promises on a real cluster: KUBECONFIG= IMAGE=, or with docker and kind one of its own; docs/e2e.md
	@$(PY) -m e2e $(E2E_ARGS)

node: ## the packages for the tests of Node's examples; those install them by themselves
	@cd tests/node && npm ci --no-audit --no-fund

lock: ## requirements/*.txt anew, with the newest versions allowed
	@requirements/lock $(PYTHON)

test-newest: ## all tests with the newest dependencies, not the locked ones
	$(call venv,.venv-newest)
	@.venv-newest/bin/python $(PIP) --upgrade pip
	@.venv-newest/bin/python $(PIP) --upgrade --editable '.[commands,demo]' --group test --group chart
	# The image has the locked ones, whatever is here.
	$(NEWEST) --ignore=tests/image $(PYTEST_ARGS)

# For CI, where both run at once: what failed gets a machine for itself, and is said to have needed it.
test-again:
	$(PY) -m coverage run -m pytest --last-failed
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

test-newest-again:
	$(NEWEST) --ignore=tests/image --last-failed

test-wheel: setup ## the built wheel, with only what ships, starts
	@rm -rf dist
	$(call venv,.venv-wheel)
	@$(PY) -m hatchling build --target wheel
	@.venv-wheel/bin/python $(PIP) --require-hashes -r requirements/agent.txt
	@.venv-wheel/bin/python $(PIP) --no-deps dist/*.whl
	@.venv-wheel/bin/python -m pip check
	.venv-wheel/bin/drainer version

# TARGET=commands, IMAGE=NAME:TAG, BASE=NAME@DIGEST, PLATFORMS=linux/amd64,linux/arm64, IMAGE_ARGS='more for the builder'
export TARGET IMAGE BASE PLATFORMS
image: ## the image, with buildah or docker; image/build says what can be chosen
	@image/build $(IMAGE_ARGS)

sbom: setup ## what ships, as dist/drainer-VERSION.cdx.json (CycloneDX)
	$(call venv,.venv-sbom)
	@.venv-sbom/bin/python $(PIP) --require-hashes -r requirements/agent.txt
	@$(PY) -m hatchling build --target wheel --directory .venv-sbom/wheel
	@.venv-sbom/bin/python $(PIP) --no-deps .venv-sbom/wheel/*.whl
	@.venv-sbom/bin/python -m pip uninstall --quiet --yes pip setuptools 2>/dev/null
	@sed "s/^dynamic = .*/version = \"$$($(PY) -m hatchling version)\"/" pyproject.toml >.venv-sbom/pyproject.toml
	@mkdir -p dist
	$(VENV)/bin/cyclonedx-py environment --validate --output-reproducible --pyproject .venv-sbom/pyproject.toml \
		--output-file dist/drainer-$$($(PY) -m hatchling version).cdx.json .venv-sbom/bin/python

clean: ## away with all that was made here
	@rm -rf .venv .venv-newest .venv-wheel .venv-sbom dist htmlcov .coverage .coverage.* \
		tests/node/node_modules bench/clients/node/node_modules .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
