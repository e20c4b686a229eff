# Every target is one line of real command; `make help` lists them. Another stack: make preview STACK=dev
STACK ?= local
PYTHON ?= python3
BIN := .venv/bin
PULUMI := $(PYTHON) -m tools run pulumi

.DEFAULT_GOAL := help
.PHONY: help up demo status down purge preview refresh test test-examples stack cost test-all test-cluster test-images images manifests check format bench lock tools policies

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 18

up: .venv/ready tools ## bring the platform up, or up to date; repeats safely, mends what died
	$(PULUMI) up --stack $(STACK) --yes --refresh --policy-pack policies

demo: .venv/ready ## train, gate, approve, promote and serve a model through the running platform
	$(BIN)/python -m examples.demo

status: .venv/ready ## show how each part is
	$(BIN)/mlops status

down: .venv/ready tools ## stop everything; keeps the data
	$(PULUMI) destroy --stack $(STACK) --yes --refresh

purge: down ## stop everything and delete the local data, for good
	$(PYTHON) -m tools purge

preview: .venv/ready tools ## show what `up` would change
	$(PULUMI) preview --stack $(STACK) --diff --policy-pack policies

refresh: .venv/ready tools ## compare the recorded state with what is really there
	$(PULUMI) refresh --stack $(STACK) --yes

stack: .venv/ready ## write the settings of an ephemeral AWS stack: make stack NAME=pr-123 FROM=dev
	$(BIN)/python -m infra.ephemeral $(NAME) --source $(or $(FROM),dev)

policies: .venv/ready ## check a stack's recording against the policy pack, offline: make policies STACK=prod
	$(BIN)/python -m policies.offline $(STACK)

cost: .venv/ready ## what an AWS stack costs a month: make cost STACK=prod
	$(BIN)/python -m infra.cost $(STACK)

test: .venv/ready tools ## run the tests: unit, recorded stacks, policies, the running platform, browser
	$(BIN)/pytest -n 2 --ignore tests/cluster --ignore tests/images

test-cluster: .venv/ready ## apply each stack's Kubernetes objects to a real API server, built from source once
	$(PYTHON) -m tools install etcd kube-apiserver kube-controller-manager && $(BIN)/pytest tests/cluster

test-images: .venv/ready tools ## build the images and run them against real PostgreSQL and S3; needs a container engine
	$(BIN)/pytest -rs tests/images

images: .venv/ready ## build the container images with docker or buildah: make images ARGS="--tag 1.0.0"
	$(BIN)/python -m images.build $(ARGS)

manifests: .venv/ready ## write a stack's Kubernetes objects as YAML: make manifests STACK=prod
	$(BIN)/python -m infra.kubernetes.manifests $(STACK)

test-examples: .venv/ready .venv-examples/ready tools ## run every example, those with torch and transformers included
	$(BIN)/pytest tests/examples

check: .venv/ready ## lint, formatting and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: .venv/ready ## format and mend what can be mended
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: .venv/ready tools ## measure the local stack against stock MLflow; prints one JSON line
	$(BIN)/python -m benchmarks.local_stack

tools: ## find or build the command-line tools
	@$(PYTHON) -m tools install

lock: .venv/ready ## pin the dependencies again, by hash
	$(BIN)/uv pip compile -q pyproject.toml --extra infra --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.lock

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m tools venv

.venv-examples/ready: .venv/ready requirements-examples.lock
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-examples
	$(BIN)/uv pip install --quiet --python .venv-examples --require-hashes -r requirements-examples.lock
	$(BIN)/uv pip install --quiet --python .venv-examples --no-deps -e . && touch $@
