#!/usr/bin/env bash
# A client generated from docs/openapi.json (openapi-python-client from PyPI, in a folder of its own), and a script that uses it
# against a service over simulated hosts. `make clients` runs it; it needs the network.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
serving=
leave() {
    [ -z "$serving" ] || { kill "$serving" && wait "$serving" || true; }
    rm -rf "$work"
}
trap leave EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'openapi-python-client==0.26.*' ruff
PATH=$work/venv/bin:$PATH
# The generator has to be told that a policy's file is bytes.
printf 'content_type_overrides:\n  application/wasm: application/octet-stream\n' >config.yml
venv/bin/openapi-python-client generate --path "$top/docs/openapi.json" --output-path client --meta none --config config.yml \
    --fail-on-warning
cat >fleet.toml <<'FLEET'
host = [{ name = "kvm1" }, { name = "kvm2" }]
domain = [{ name = "web1", host = "kvm1" }]
FLEET
printf 'state_dir = "state"\ncache_dir = "cache"\n' >waypost.toml
"$top/target/debug/waypost" --sim fleet.toml serve --socket waypost.sock 2>said &
serving=$!
until grep -q '^listening on' said; do kill -0 "$serving"; sleep 0.1; done
PYTHONPATH=. venv/bin/python "$here/generated.py" waypost.sock
