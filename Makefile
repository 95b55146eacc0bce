# Needs make, Python 3.11 or newer, and a package index; all else is installed.
#
#   make demo          Trains on real digits, compares methods, draws.
#   make study         Repeats docs/study: an hour; continues where it stopped.
#   make sharper       Repeats docs/study/sharper: an hour; continues, too.
#   make cheaper       Renews docs/cheaper.md: an hour; continues, too.
#   make tuning        Renews docs/tuning.md: half an hour; continues, too.
#   make test          Runs the tests.
#   make test-jax      Runs on JAX all tests that can.
#   make test-all      Runs more combinations, too: what changes many parts.
#   make check         Two minutes: lint, and the tests nearest to what changed.
#   make lint          Checks style, types and documentation, and BUILD files
#                      if there is npm.
#   make format        Puts style right.
#   make docs          Builds the documentation into site/.
#   make tutorials     Runs the tutorials, writes their notebooks: minutes.
#   make build-files   Writes the BUILD files of all folders from the imports.
#   make catalogue     Writes the methods into docs/catalogue.md.
#   make commands      Writes the command lines into docs/reference/cli.md.
#   make test-oldest   Runs the tests with the oldest versions supported.
#   make test-oldest-jax
#                      Does this on JAX, for what make test-jax runs.
#   make test-newest   Runs them with last night's Keras and TensorFlow.
#   make soak          Kills trainings at random and resumes them: 10 minutes.
#   make tpu-check     Lowers and compiles the train step for a TPU, without one.
#   make tpu-check-jax Does this for the step on JAX, for TPUs and CUDA: an hour.
#   make gpu-bundle    Gets what a GPU machine without an index needs.
#   make gpu-check     Compares and times steps on a GPU: 4 minutes.
#   make conformance   Trains in other libraries, too: docs/conformance.md.
#   make ecosystem     Trains models of KerasHub and others: docs/ecosystem.md.
#   make peers         Times steps against other libraries: half an hour.
#   make lock          Renews requirements_lock.txt, which Bazel installs.
#   make dist          Builds wheel and source archive into dist/, checks them.
#   make clean         Deletes what these leave, but for environments and demo/.
#
# Another interpreter: make test VENV=.venv-3.12 PYTHON=python3.12
# Without a GPU: make gpu-check GPU_FLAGS='--small --seconds=600'

PYTHON = python3
VENV = .venv
OLDEST = .venv-oldest
OLDEST_JAX = .venv-oldest-jax
NEWEST = .venv-newest
NIGHTLY = keras-nightly tf-nightly
TPU = .venv-tpu
TPU_JAX = .venv-tpu-jax
GPU_BUNDLE = gpu-bundle
# Keras, Flax, pytorch_optimizer and pytest, with what they import.
BUNDLED = keras==3.15.1 absl-py h5py markdown-it-py mdurl namex optree \
    packaging pygments rich typing_extensions flax==0.12.8 msgpack pyyaml \
    pytorch_optimizer==4.1.0 pytest iniconfig pluggy
CONFORMANCE = .venv-conformance
ECOSYSTEM = .venv-ecosystem
DIST = .venv-dist
DOCS = .venv-docs
TUTORIALS = .venv-tutorials
PEERS = .venv-peers-tf_keras .venv-peers-torch .venv-peers-jax
RUN = $(VENV)/bin/python -m
# A folder of runs belongs to one backend.
DEMO = demo$(addprefix -,$(filter jax,$(KERAS_BACKEND)))
FOLDERS = benchmarks examples keras_sam tests tools
PYTEST = pytest -n 2 --dist loadfile --no-loadscope-reorder
NOT_ALL = -m "not also"
# What runs on both backends. `make test` runs JAX_CORE on JAX, too.
JAX_CORE = tests/jax tests/vectors_test.py tests/algorithm/method_test.py \
    tests/backend/batches_test.py tests/contracts/methods_test.py
JAX_MORE = $(wildcard tests/*_test.py) \
    tests/algorithm tests/descents tests/directions tests/landscape \
    tests/keras_internals tests/training tests/callbacks tests/both_backends \
    tests/backend tests/evaluation $(addprefix tests/contracts/,battery_test.py \
    curvature_test.py parity_test.py precision_test.py)

define buildifier
@if command -v npx >/dev/null; then set -x; \
    npx --yes @bazel/buildifier@8.2.1 $(1) MODULE.bazel BUILD \
    $$(find $(FOLDERS) -name BUILD); \
else \
    echo "SKIPPED: BUILD files and MODULE.bazel, since npm is not installed"; \
fi
endef

# A TensorFlow built for TPUs otherwise looks for one on the network.
export TPU_SKIP_MDS_QUERY = 1

.PHONY: demo study sharper cheaper tuning test test-jax test-all check lint format \
    docs tutorials tutorials-text build-files catalogue commands \
    test-oldest test-oldest-jax test-newest soak tpu-check tpu-check-jax \
    gpu-bundle gpu-check conformance ecosystem peers lock dist clean

demo: $(VENV)/.installed
	$(RUN) examples.compare --output_dir=$(DEMO)

study: $(VENV)/.installed
	$(RUN) examples.study --output_dir=study

sharper: $(VENV)/.installed
	$(RUN) examples.study --config=sharper --output_dir=study-sharper \
	    --known=docs/study/results.csv
	$(RUN) examples.study.along --output_dir=study-sharper

cheaper: $(VENV)/.installed
	$(RUN) benchmarks.cheaper --output_dir=docs/cheaper \
	    --document=docs/cheaper.md

tuning: $(VENV)/.installed
	$(RUN) benchmarks.tuning --output_dir=docs/tuning --page=docs/tuning.md

test: $(VENV)/.installed
	$(RUN) $(PYTEST) $(NOT_ALL)
	KERAS_BACKEND=jax $(RUN) $(PYTEST) $(NOT_ALL) $(JAX_CORE)

test-jax: $(VENV)/.installed
	KERAS_BACKEND=jax $(RUN) $(PYTEST) $(NOT_ALL) $(JAX_CORE) $(JAX_MORE)

test-all: $(VENV)/.installed
	$(RUN) $(PYTEST)

check: lint
	$(RUN) tools.changed_tests

lint: $(VENV)/.installed
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(call buildifier,-mode=check -lint=warn)
	$(MAKE) --no-print-directory docs

format: $(VENV)/.installed
	$(RUN) ruff check --fix
	$(RUN) ruff format
	$(call buildifier,-mode=fix -lint=fix)

# Without network. A warning is an error, such as a link that does not hold: but
# with --quiet mkdocs counts no warnings.
docs: $(DOCS)/.installed
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build

tutorials: $(TUTORIALS)/.installed
	$(TUTORIALS)/bin/python -m tools.tutorials

# For changes of text alone: the outputs stay as they are.
tutorials-text: $(TUTORIALS)/.installed
	$(TUTORIALS)/bin/python -m tools.tutorials --text

build-files:
	$(PYTHON) -m tools.build_files

catalogue: $(VENV)/.installed
	$(RUN) tools.catalogue

commands: $(VENV)/.installed
	$(RUN) tools.commands

test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m $(PYTEST)

test-oldest-jax: $(OLDEST_JAX)/.installed
	KERAS_BACKEND=jax $(OLDEST_JAX)/bin/python -m $(PYTEST) $(NOT_ALL) \
	    $(JAX_CORE) $(JAX_MORE)

# There is a new one every night, so each run asks the index.
test-newest: $(NEWEST)/.installed
	$(NEWEST)/bin/python -m pip install --upgrade --pre $(NIGHTLY)
	$(NEWEST)/bin/python -m $(PYTEST)

soak: $(VENV)/.installed
	$(RUN) tests.processes.soak

tpu-check: $(TPU)/.installed
	$(TPU)/bin/python -m tests.cost.tpu_check

tpu-check-jax: $(TPU_JAX)/.installed
	$(TPU_JAX)/bin/python -m benchmarks.lowered

# For Linux on x86-64 and Python 3.12, beside NumPy, JAX, optax and PyTorch.
gpu-bundle: $(VENV)/.installed
	rm -rf $(GPU_BUNDLE)
	$(RUN) pip download --dest $(GPU_BUNDLE)/wheels --no-deps \
	    --only-binary=:all: --python-version 3.12 $(BUNDLED)
	$(RUN) tests.jax.recipes_on_device --write=$(GPU_BUNDLE)/expected.npz

# On the machine with the GPU: it has Python, and no environment of ours.
gpu-check:
	$(PYTHON) -m benchmarks.gpu.unpack
	PYTHONPATH=gpu-site $(PYTHON) -m benchmarks.gpu $(GPU_FLAGS)

conformance: $(CONFORMANCE)/.installed
	$(CONFORMANCE)/bin/python -m tests.contracts.conformance \
	    --output=docs/conformance.md

ecosystem: $(ECOSYSTEM)/.installed
	$(ECOSYSTEM)/bin/python -m tests.ecosystem --output=docs/ecosystem.md

peers: $(VENV)/.installed $(PEERS:=/.installed)
	$(RUN) benchmarks.peers

lock: $(VENV)/.installed
	$(RUN) pip install --quiet --dry-run --ignore-installed \
	    --report $(VENV)/lock.json '.[tensorflow-cpu,jax,test]'
	$(VENV)/bin/python -c 'import json, sys; \
	    found = [i["metadata"] for i in json.load(sys.stdin)["install"]]; \
	    print("# Made by `make lock` on Linux, for Bazel."); \
	    print(*sorted(m["name"].lower() + "==" + m["version"] \
	    for m in found if m["name"] != "keras-sam"), sep="\n")' \
	    <$(VENV)/lock.json >requirements_lock.txt

# From an empty folder: twine checks, and a release uploads, all that is there.
dist: $(DIST)/.installed
	rm -rf build dist *.egg-info
	$(DIST)/bin/python -m build --outdir dist .
	$(DIST)/bin/python -m twine check --strict dist/*

clean:
	rm -rf build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find $(FOLDERS) -name __pycache__ -prune -exec rm -rf {} +

# Renewed whenever pyproject.toml changes.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --editable '.[tensorflow-cpu,jax,dev]'
	touch $@

# Turns every lower bound into the version itself. Each backend has its own
# environment: JAX 0.7.0 needs a newer ml_dtypes than TensorFlow 2.18 allows.
# Keras has two bounds, first the general one: sort keeps what it reads first.
$(OLDEST)/.installed: EXTRAS = tensorflow-cpu,test
$(OLDEST)/.installed: READ = cat
$(OLDEST_JAX)/.installed: EXTRAS = jax,test
$(OLDEST_JAX)/.installed: READ = tac
$(OLDEST)/.installed $(OLDEST_JAX)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(@D)
	$(READ) pyproject.toml | \
	    sed -nE 's/^ +"([a-z0-9-]+)>=([0-9a-z.]+)".*/\1==\2/p' | \
	    sort -t= -k1,1 -u >$(@D)/oldest.txt
	$(@D)/bin/python -m pip install --editable '.[$(EXTRAS)]' \
	    --constraint $(@D)/oldest.txt
	touch $@

# A nightly has the files of the release, so there can be only one of them.
$(NEWEST)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(NEWEST)
	$(NEWEST)/bin/python -m pip install --editable '.[test]'
	$(NEWEST)/bin/python -m pip uninstall --yes keras
	touch $@

# The last TensorFlow for TPUs; JAX only passes its output on to libtpu.
$(TPU)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(TPU)
	$(TPU)/bin/python -m pip install --editable '.[tensorflow-tpu]' \
	    tensorflow-tpu==2.20.0 libtpu==0.0.17 jax==0.6.2
	touch $@

# Where the index has a CPU build of PyTorch, 2.13.0+cpu, pip takes that.
# tf_keras asks for tensorflow, beside which there must be no tensorflow-cpu.
$(CONFORMANCE)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(CONFORMANCE)
	$(CONFORMANCE)/bin/python -m pip install --editable '.[tensorflow]' \
	    jax==0.10.2 optax==0.2.8 pytorch_optimizer==4.1.0 \
	    tf_keras==2.21.0 torch==2.13.0
	touch $@

# KerasHub asks for tensorflow, beside which there must be no tensorflow-cpu.
$(ECOSYSTEM)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(ECOSYSTEM)
	$(ECOSYSTEM)/bin/python -m pip install --editable '.[tensorflow]' \
	    absl-py keras-hub==0.32.0 keras-rs==0.4.0 keras-tuner==1.4.8 \
	    scikit-learn==1.9.1 tensorboard==2.21.0
	touch $@

$(TPU_JAX)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(TPU_JAX)
	$(TPU_JAX)/bin/python -m pip install --editable . \
	    absl-py jax==0.10.2 libtpu==0.0.52
	touch $@

$(DIST)/.installed: Makefile
	$(PYTHON) -m venv --clear $(DIST)
	$(DIST)/bin/python -m pip install build==1.6.1 twine==7.0.0
	touch $@

# One version each: others warn of other things, and a warning is an error.
# ruff formats signatures, and mike publishes several versions.
$(DOCS)/.installed: Makefile
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install griffelib==2.4.1 mike==2.2.0 \
	    mkdocs==1.6.1 mkdocs-autorefs==1.4.5 mkdocs-material==9.8.2 \
	    mkdocstrings==1.0.8 mkdocstrings-python==2.0.11 \
	    pymdown-extensions==13.1.2 'ruff==0.17.*'
	touch $@

# One version each: the format of notebooks, and what a kernel captures, change.
$(TUTORIALS)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(TUTORIALS)
	$(TUTORIALS)/bin/python -m pip install \
	    --editable '.[plot,tensorflow-cpu]' ipykernel==7.4.0 \
	    jupytext==1.19.6 mnist1d==0.0.2.post1 nbclient==0.11.0 \
	    nbformat==5.11.1 scikit-learn==1.9.1
	touch $@

# One for each peer, as its users have it.
.venv-peers-%/.installed: Makefile
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install $(PACKAGES)
	touch $@

.venv-peers-tf_keras/.installed: PACKAGES = tensorflow==2.21.0 tf_keras==2.21.0
.venv-peers-torch/.installed: PACKAGES = numpy torch==2.13.0 \
    pytorch_optimizer==4.1.0
.venv-peers-jax/.installed: PACKAGES = jax==0.10.2 optax==0.2.8 flax==0.12.8
