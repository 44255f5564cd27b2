# `make help` lists the targets. Every target sets itself up: it makes .venv first if need be.

PYTHON ?= python3
DLIB   ?= dlib-bin
DATA   ?=
EXTRA  ?=
PRESET ?= standard
OUT    ?= build/efld.dat
XML    ?= training_xml
SUBSET ?=
JOBS   ?=
# Few trees have no room for augmented and rare faces: see docs/nano.md.
PREPARE_nano := --variants 2 --augment none --weights none
PREPARE ?= $(PREPARE_$(PRESET))
# The default model: a predictor for plain dlib programs, and the one that runs after the start.
PLAIN   := --variants 2 --augment none --weights none
# The faces that EXTRA names help turned heads; a fifth as many crops of each leave 300-W's as they are.
REFINED := --framing refined --variants 2 --emphasis 5 --augment none --weights none
PLAIN_STEP   := 5.5e-5
REFINED_STEP := 3.6e-5
# Landmarks of AFLW's, YouTube Faces' and CFP's faces in 300-W's convention, known by the images' content.
LABELS ?= tools/labels/consensus.xz
# Empty where there is DATA: 'efld-dlib train' says then what is true of any.
LICENCE ?= $(if $(DATA),,that of the code: it was trained on faces that the project draws itself)
LICENCE_OPTION = $(if $(LICENCE),--licence "$(LICENCE)")
BASE    := $(basename $(OUT))

PACK_REFINED = "$(BASE)-refined.dat" -o "$(BASE).efld" --role refined --with "$(BASE)-plain.efld" \
    --usage "$(XML)/refined/train.xml"

VENV   := .venv
RUN    := $(VENV)/bin
READY  := $(VENV)/ready
SAMPLE := build/sample
# The documents' figures of the benchmarks are for HELEN test.
HELEN  := $(if $(SUBSET),$(SUBSET),helen/testset)
# Without real data, the sample that the project makes for itself.
SOURCE := $(if $(DATA),$(DATA),$(SAMPLE))
JOBS_OPTION := $(if $(JOBS),--jobs $(JOBS))

.DEFAULT_GOAL := help
.PHONY: help setup data leaves train evaluate benchmark benchmark-extract benchmark-speed profile ablation network test robustness lint clean

help: ## this list
	@echo "Targets:"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 21
	@echo "Variables (now):"
	@echo "  DATA    a 300-W tree, or dlib's XML of anything ($(if $(DATA),$(DATA),none: the synthetic sample is used))"
	@echo "  EXTRA   more to train on, e.g. merl-rav:path/to/aflw ($(if $(EXTRA),$(EXTRA),none))"
	@echo "  LABELS  landmarks in 300-W's convention for AFLW, YTF and CFP ($(LABELS))"
	@echo "  PRESET  nano, small, standard, large or default ($(PRESET))"
	@echo "  PREPARE more options of 'efld-dlib prepare' ($(if $(PREPARE),$(PREPARE),none))"
	@echo "  LICENCE of the model, for 'model info' ($(if $(LICENCE),$(LICENCE),that of its training data))"
	@echo "  OUT     the model to write ($(OUT))"
	@echo "  XML     folder of the training data ($(XML))"
	@echo "  SUBSET  of DATA, to measure on ($(if $(SUBSET),$(SUBSET),the test faces))"
	@echo "  BENCHMARK  more options of the benchmark, e.g. --dat stock=FILE.dat"
	@echo "  JOBS    processes and threads ($(if $(JOBS),$(JOBS),one a core))"
	@echo "  TESTS   what 'make test' runs, e.g. tests/models ($(if $(TESTS),$(TESTS),all))"
	@echo "  PYTHON  interpreter for .venv, 3.10 or later ($(PYTHON))"
	@echo "  DLIB    dlib-bin (prebuilt) or dlib (compiled here) ($(DLIB))"

setup: $(READY) ## make .venv and install everything into it

$(READY): pyproject.toml tools/make_venv.py tools/install.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "Python 3.10 or later is needed; say PYTHON=python3.x"; exit 1; }
	@$(RUN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) tools/make_venv.py $(VENV)
	@echo "Installing into $(VENV) (dlib: $(DLIB) unless one is there) ..."
	@$(RUN)/python tools/install.py $(DLIB)
	@touch $@

data: $(READY) ## make the synthetic sample in build/sample (only needed without DATA)
	@$(RUN)/python -m tools.make_sample -o $(SAMPLE)

leaves: $(READY) ## draw leaves, a thing that is no face; then: make train DATA=build/leaves/train.xml
	@$(RUN)/python -m tools.make_leaves -o build/leaves

train: $(READY) $(if $(DATA),,data) ## prepare DATA, train PRESET, write OUT and show it working
	@$(if $(DATA),,echo "No DATA given: training on the project's own SYNTHETIC faces.")
ifeq ($(PRESET),default)
	@$(RUN)/efld-dlib prepare "$(SOURCE)" -o "$(XML)/plain" $(PLAIN) $(JOBS_OPTION)
	@$(RUN)/efld-dlib train "$(XML)/plain" -o "$(BASE)-plain.dat" --preset plain $(LICENCE_OPTION) $(JOBS_OPTION)
	@$(RUN)/efld-dlib model compress "$(BASE)-plain.dat" -o "$(BASE)-plain.efld" --max-bytes 1MB \
	    --step $(PLAIN_STEP) --usage "$(XML)/plain/train.xml"
	@$(RUN)/efld-dlib prepare "$(SOURCE)" $(EXTRA) -o "$(XML)/refined" $(REFINED) --labels "$(LABELS)" \
	    $(JOBS_OPTION)
	@$(RUN)/efld-dlib train "$(XML)/refined" -o "$(BASE)-refined.dat" --preset refined $(LICENCE_OPTION) $(JOBS_OPTION)
	@# Other faces may make a larger file with the same step; then the step is searched for.
	@$(RUN)/efld-dlib model compress $(PACK_REFINED) --step $(REFINED_STEP) || \
	    $(RUN)/efld-dlib model compress $(PACK_REFINED)
	@$(RUN)/efld-dlib model expand "$(BASE).efld" -o "$(OUT)"
	@$(RUN)/python -m tools.show_model "$(BASE).efld" "$(if $(DATA),,$(SAMPLE)/helen/testset)"
else
	@$(RUN)/efld-dlib prepare "$(SOURCE)" $(EXTRA) -o "$(XML)" $(PREPARE) $(JOBS_OPTION)
	@$(RUN)/efld-dlib train "$(XML)" -o "$(OUT)" --preset $(PRESET) $(LICENCE_OPTION) $(JOBS_OPTION)
	@$(RUN)/python -m tools.show_model "$(OUT)" "$(if $(DATA),,$(SAMPLE)/helen/testset)" --data "$(SOURCE)"
endif

evaluate: $(READY) ## measure OUT on the test faces of DATA, or on its SUBSET
	@$(RUN)/efld-dlib evaluate "$(OUT)" "$(SOURCE)" $(if $(SUBSET),--subset $(SUBSET)) $(JOBS_OPTION)

benchmark: $(READY) ## the paper's Table 2, measured: OUT against what is installed, on SUBSET of DATA
	@$(RUN)/python -m tools.benchmarks table2 "$(OUT)" "$(SOURCE)" --subset $(HELEN) $(BENCHMARK)

benchmark-extract: $(READY) ## extract with 1 and 2 processes, and its memory (DATA: a folder of pictures)
	@$(RUN)/python -m tools.benchmarks extract "$(SOURCE)" $(BENCHMARK)

benchmark-speed: $(READY) ## the time of the face detector beside that of dlib's
	@$(RUN)/python -m tools.benchmarks speed "$(SOURCE)/$(HELEN)"

profile: $(READY) ## where the time of a picture goes
	@$(RUN)/python -m tools.benchmarks profile --min-face 120

ablation: $(READY) ## what each part of the training data is worth (DATA: a folder with 300w/ and aflw/)
	@$(RUN)/python -m tools.ablation "$(DATA)" --work build/ablation -o build/ablation/tables.md

network: $(READY) ## train the networks that find faces (DATA: a folder with 300w/, aflw/, ytf/, cfp/ and faceless/)
	@$(RUN)/python tools/install.py $(DLIB) network
	@$(RUN)/efld-dlib network train "$(DATA)/300w" "merl-rav:$(DATA)/aflw" "ytf:$(DATA)/ytf" "cfp:$(DATA)/cfp" \
	    --faceless "$(DATA)/faceless" --labels "$(LABELS)" -o efld_dlib/data/network $(JOBS_OPTION)

test: $(READY) ## run the tests (those that need real data look in EFLD_DATA, then ../shared/data)
	@$(RUN)/python -m coverage erase
	@$(RUN)/python -m pytest --cov --cov-report= $(TESTS)
	@$(RUN)/python -m coverage report --fail-under=90

robustness: $(READY) ## damage files of every kind, kill and starve every command (not part of test)
	@$(RUN)/python -m pytest -m robustness
	@$(RUN)/python -m tests.robustness --cases 5000 --seed 1

lint: $(READY) ## check format, style and types
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/mypy

clean: ## remove .venv, build/ and training data
	rm -rf $(VENV) build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache
	find $(XML) -mindepth 1 ! -name README.md -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
