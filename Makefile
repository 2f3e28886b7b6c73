# On a fresh Debian or Ubuntu machine with Node.js 20.19 or later, each of these does all the set-up it needs.
.PHONY: demo test test-image-node build lint bench clean image-packages

addon := native/addon/build/Release/audit.node

demo: build
	KEEP=$(KEEP) ENFORCER=$(ENFORCER) node --import tsx test/demo/demo.ts

test: node_modules/.installed $(addon)
	npm test

test-image-node: node_modules/.installed $(addon)
	.ci/with-image-node npm test

build: node_modules/.installed $(addon)
	npm run --silent build

lint: node_modules/.installed
	npm run --silent lint
	npm run --silent typecheck

bench: node_modules/.installed
	npm run --silent bench:actors

# Set-up is done again when what it depends on has changed.
node_modules/.installed: package.json package-lock.json .ci/setup
	.ci/setup
	npm ci
	@touch $@

# Without a compiler this says so and goes on: what needs the addon is skipped by name.
$(addon): node_modules/.installed native/addon/binding.gyp $(wildcard native/addon/*.c native/addon/*.h)
	npm run --silent build:addon -- --optional

# Renews the versions of Debian's packages in the image: make image-packages BASE=docker.io/library/debian@sha256:…
image-packages:
	docker build -f deploy/Dockerfile --target versions --build-arg BASE=$(BASE) --output deploy/image/packages .

clean:
	rm -rf dist node_modules native/addon/build
