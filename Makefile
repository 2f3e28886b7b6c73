# On a fresh Debian or Ubuntu machine with Node.js 20.19 or later, each of these does all the set-up it needs.
.PHONY: help demo test test-image-node build lint bench release clean image-packages
.DEFAULT_GOAL := help

addon := native/addon/build/Release/audit.node

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.* ## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: build ## show a refused attack and its line, on the embedded sandbox
	KEEP=$(KEEP) ENFORCER=$(ENFORCER) node --import tsx test/demo/demo.ts

test: node_modules/.installed $(addon) ## run the unit and integration tests
	npm test

test-image-node: node_modules/.installed $(addon) ## run the tests with the Node.js of the image
	.ci/with-image-node npm test

build: node_modules/.installed $(addon) ## compile the program
	npm run --silent build

lint: node_modules/.installed ## check form, imports, types and prose
	npm run --silent lint
	npm run --silent typecheck

bench: node_modules/.installed ## measure the actors
	npm run --silent bench:actors

# Set-up is done again when what it depends on has changed.
node_modules/.installed: package.json package-lock.json .ci/setup
	.ci/setup
	npm ci
	@touch $@

# Without a compiler this says so and goes on: what needs the addon is skipped by name.
$(addon): node_modules/.installed native/addon/binding.gyp $(wildcard native/addon/*.c native/addon/*.h)
	npm run --silent build:addon -- --optional

image-packages: ## renew the versions of Debian's packages in the image: BASE=docker.io/library/debian@sha256:…
	docker build -f deploy/Dockerfile --target versions --build-arg BASE=$(BASE) --output deploy/image/packages .

release: node_modules/.installed ## publish a version: VERSION=1.2.3 REGISTRY=ghcr.io/acme BASE=… [KEY=signing-key.pem]
	@node --import tsx deploy/release/release.ts --release='$(VERSION)' --registry='$(REGISTRY)' --base='$(BASE)' \
	  --key='$(KEY)' --snapshot='$(SNAPSHOT)' --builder='$(BUILDER)' --build-flags='$(BUILD_FLAGS)' \
	  $(if $(REPLACE),--replace) $(if $(SKIP_TESTS),--skip-tests)

clean: ## remove what was built and installed
	rm -rf dist node_modules native/addon/build
