# Everything that a command makes or installs lies in .local, dist and
# infra/node_modules; `make clean` removes it. Tools are pinned by infra/requirements*.txt,
# infra/package-lock.json and the go.sum files in infra/tools, and installed anew when those change.

PYTHON ?= python3
NPM    ?= npm
# Stack settings, as in: make local SETTINGS="maxConcurrency=5 archive=false"
SETTINGS ?=

BIN     := .local/bin
NODEBIN := $(CURDIR)/infra/node_modules/.bin
# A stamp lies among the tools that it vouches for, and is named after the content of their lock file.
stamp    = .installed-$(shell cat $(1) 2>/dev/null | cksum | tr ' ' '-')
ENGINE_STAMP   := .local/venv/$(call stamp,infra/requirements.txt)
CFN_LINT_STAMP := .local/cfn-lint/$(call stamp,infra/requirements-lint.txt)
NODE_STAMP     := infra/node_modules/$(call stamp,infra/package-lock.json)
LINT_STAMP     := $(BIN)/$(call stamp,infra/tools/go.sum infra/tools/actionlint/go.sum)
# As the functions and the CDK app are compiled, so that all share what lies in Go's build cache.
SHARED  := CGO_ENABLED=0 GOFLAGS="$(shell go env GOFLAGS 2>/dev/null) -trimpath"
CDK = cd infra && PATH="$(NODEBIN):$$PATH" cdk
# The CDK's packages take minutes to compile with the race detector, and jsii does not run under it.
RACE_PACKAGES = $$(go list ./... | grep -v -e '/infra$$' -e '/infra/stack' -e '/infra/e2e')

.DEFAULT_GOAL := help
.PHONY: help demo local test test-unit test-stack test-e2e simulate mutants soak lint format synth release deploy destroy tools need-go need-python clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: tools ## Run a dozen prompts through the whole bundle on this machine
	@$(SHARED) go build -o $(BIN)/demo ./infra/local/demo
	@$(BIN)/demo

local: tools ## Deploy the bundle on this machine and leave it running until ctrl-C
	@$(SHARED) go build -o $(BIN)/ ./infra/local/up ./infra/clipqueue
	@$(BIN)/up

test: test-unit test-stack test-e2e ## Run all tests

test-unit: need-go ## Run the unit tests with the race detector
	go test -race $(RACE_PACKAGES)

test-stack: tools $(CFN_LINT_STAMP) ## Run the tests of the CDK stack
	$(SHARED) PATH="$(NODEBIN):$$PATH" go test ./infra ./infra/stack/...

test-e2e: tools ## Run the end-to-end tests against the bundle deployed on the local engine
	go test -race -count=1 -parallel 40 -timeout 20m ./infra/e2e/...

# How many seeds `make simulate` tries.
SEEDS ?= 20000

simulate: need-go ## Hold the promises against SEEDS lives of all functions together, in virtual time
	go test ./functions -count=1 -timeout 0 -run 'TestPromises$$' -v -seeds $(SEEDS)

mutants: need-go ## Switch each safeguard off in turn, and see the simulation find it
	go test ./functions -count=1 -timeout 0 -run TestMutants -v -mutants

soak: tools ## Run 1,000 prompts under every fault of the vendor, and 100,000 in a long line
	go test -v -count=1 -timeout 60m -run TestManyPromptsManyFaults ./infra/e2e -prompts 1000
	go test -v -count=1 -timeout 60m -run TestFault33 ./functions -backlog 100000

lint: $(LINT_STAMP) ## Check the code with golangci-lint, and the workflows with actionlint
	$(SHARED) $(BIN)/golangci-lint run ./...
	$(BIN)/actionlint -shellcheck= -pyflakes= .github/workflows/*.yml

format: $(LINT_STAMP) ## Format the code
	$(BIN)/golangci-lint fmt ./...

synth: tools ## Write the stack's template to dist/cdk.out
	$(CDK) synth --quiet --output ../dist/cdk.out $(addprefix -c ,$(SETTINGS))

# SNAPSHOT=1 builds what is there, released or not.
SNAPSHOT ?=

release: tools ## Build a release into dist/release: functions, command, template, bill of materials, checksums
	@PATH="$(NODEBIN):$$PATH" go run ./infra/release $(if $(SNAPSHOT),-snapshot)

deploy: tools ## Deploy to the AWS account of your credentials
	$(CDK) deploy $(addprefix -c ,$(SETTINGS))

destroy: tools ## Remove the stack from the AWS account of your credentials
	$(CDK) destroy $(addprefix -c ,$(SETTINGS))

tools: need-go $(ENGINE_STAMP) $(NODE_STAMP) ## Install the pinned tools into the project's own folders

clean: ## Remove everything that these commands made or installed
	rm -rf .local dist infra/node_modules infra/cdk.out

need-go:
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.26 or newer and put it on PATH" >&2; exit 1; }

need-python:
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
	{ echo "Python 3.10 or newer with its venv module is missing: install it, or name it with PYTHON=" >&2; exit 1; }

# Makes a virtual environment, the first argument, of what the second one pins.
define venv
@rm -rf $(1)
@$(PYTHON) -m venv $(1)
@$(1)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(2)
@touch $@
endef

$(ENGINE_STAMP): | need-python
	@echo "installing the local engine into .local/venv"
	$(call venv,.local/venv,infra/requirements.txt)

$(CFN_LINT_STAMP): | need-python
	@echo "installing cfn-lint into .local/cfn-lint"
	$(call venv,.local/cfn-lint,infra/requirements-lint.txt)

$(NODE_STAMP):
	@command -v $(NPM) >/dev/null || { echo "npm is missing: install Node.js 20 or newer, which brings it" >&2; exit 1; }
	@echo "installing the CDK command, Node and what tests check with into infra/node_modules"
	@$(NPM) ci --prefix infra --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(LINT_STAMP): | need-go
	@echo "building golangci-lint and actionlint, which takes a minute or two once"
	@rm -f $(BIN)/.installed-*
	@go build -C infra/tools -o ../../$(BIN)/ tool
	@go build -C infra/tools/actionlint -o ../../../$(BIN)/ tool
	@touch $@
