# The two commands are `make demo` and `make test`; both do all set-up that they need.
# `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export CARGO_TERM_PROGRESS_WHEN ?= never
TOOLS := $(CURDIR)/target/tools
CARGO_DENY_VERSION := 0.20.2
CARGO_DEB_VERSION := 3.8.0

.PHONY: help setup plugins build demo test drill model lint bench docs-plots install deb deb-test clients contract browser cockpit clean pages pages-test

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## Debian packages and the WebAssembly target, where they are missing
	@host/lab/setup.sh

plugins: setup ## the shipped policies, into target/plugins
	@plugins/build.sh

build: setup plugins ## the waypost command, into target/debug
	@cargo build --locked --quiet --bin waypost

demo: build ## a real guest moves between two real libvirt hosts, judged by plugins
	@examples/demo.sh

test: setup plugins ## all tests; the end-to-end ones move real guests
	cargo test --locked --workspace

drill: setup plugins ## everything that can break, broken in the middle of real migrations
	WAYPOST_DRILL=$(or $(ROWS),all) cargo test --locked --workspace --test drill -- --nocapture

model: ## the model checker with one fault more than in `make test`: minutes, and some GiB of memory
	WAYPOST_MODEL_FAULTS=$(or $(FAULTS),3) cargo test --locked --workspace --test model -- --nocapture

lint: setup plugins $(TOOLS)/bin/cargo-deny ## clippy with warnings denied, rustfmt, cargo-deny
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(TOOLS)/bin/cargo-deny --locked check bans licenses sources

# What is measured is what is installed: an optimised build, which takes a quarter of an hour the first time.
bench: setup plugins ## every promised figure, each beside its peer in the same run; PARTS="modes faults" runs some
	@missed=0; \
	if [ -z "$(PARTS)" ]; then cargo bench --locked --quiet --workspace --bench cost || missed=1; fi; \
	cargo bench --locked --quiet --workspace --bench figures -- $(PARTS) || missed=1; \
	exit $$missed

docs-plots: setup plugins ## the plots of docs/convergence.md from new recordings; REDRAW=1 only draws
	WAYPOST_PLOTS=$(if $(REDRAW),draw,record) cargo test --locked --workspace --test plots -- --nocapture

pages: ## the bundle of host/service/web, which is committed; needs node and npm
	cd host/service/web && npm ci && npm run build

pages-test: ## every element in a browser over a made-up fleet, with axe, and whether the bundle is fresh; needs chromium, node and npm
	cd host/service/web && npm ci --silent && npm run --silent check && npm test
	@# The sums hold the bundle against the sources that it was said to be made of; only making it again shows that it was.
	@made=$$(mktemp -d) && trap 'rm -rf "$$made"' EXIT && cd host/service/web && \
	npx vite build --logLevel error --emptyOutDir --outDir "$$made" && diff -r --exclude SHA256SUMS "$$made" dist

install: setup plugins ## waypost and its policies under PREFIX (default /usr/local)
	cargo build --locked --release --bin waypost
	install -D -m 0755 target/release/waypost $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/waypost
	install -d $(DESTDIR)$(or $(PREFIX),/usr/local)/lib/waypost/plugins
	install -d $(DESTDIR)$(or $(PREFIX),/usr/local)/lib/waypost/plugins-optional
	install -m 0644 target/plugins/*.wasm $(DESTDIR)$(or $(PREFIX),/usr/local)/lib/waypost/plugins/
	install -m 0644 target/plugins-optional/*.wasm $(DESTDIR)$(or $(PREFIX),/usr/local)/lib/waypost/plugins-optional/

deb: setup plugins $(TOOLS)/bin/cargo-deb ## a Debian package, in target/debian
	cargo build --locked --release --bin waypost
	host/packaging/generate.sh target/release/waypost target/packaging
	$(TOOLS)/bin/cargo-deb --locked --no-build --output target/debian/waypost.deb

deb-test: deb ## that package, installed, run and booted in a clean Debian; needs root, debootstrap, systemd-nspawn and the network
	host/packaging/try.sh target/debian/waypost.deb

clients: build ## a Python client generated from docs/openapi.json, used against the service; needs the network (PyPI)
	examples/python/generated.sh

contract: build ## requests of every kind, made from the description, against the service (schemathesis); needs the network (PyPI)
	tests/contract/run.sh

browser: build pages-test ## the dashboard in a browser over real hosts, with axe; needs chromium, node and npm; PICTURES=FOLDER keeps its screens
	@cargo build --locked --quiet --example axum_dashboard
	tests/browser/run.sh

cockpit: build ## the page in Debian's Cockpit and a browser; needs cockpit-ws, chromium, node and npm
	cd host/service/web && npm ci --silent
	examples/cockpit/try.sh

clean: ## everything that was built
	cargo clean

$(TOOLS)/bin/cargo-deny:
	cargo install --locked --quiet --root $(TOOLS) --target-dir target/tools-build cargo-deny@$(CARGO_DENY_VERSION)
	rm -rf target/tools-build

$(TOOLS)/bin/cargo-deb:
	cargo install --locked --quiet --root $(TOOLS) --target-dir target/tools-build cargo-deb@$(CARGO_DEB_VERSION)
	rm -rf target/tools-build
