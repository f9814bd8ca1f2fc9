#!/usr/bin/env bash
# Whether the service keeps what its description promises: schemathesis (PyPI) makes requests of every kind from it, right ones and
# wrong ones, against a service over simulated hosts, on its port, and looks at every answer: as an administrator, and shortly as a
# viewer. The description is the one that this service gives, every operation in it must have been asked, and each status that is not
# described is a mistake. `make contract` runs it, in minutes; it needs the network where the tool is not there yet. Arguments go to
# the tool: `tests/contract/run.sh --max-examples 500`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
version=4.32.5
venv=$top/target/tools/schemathesis-$version
if [ ! -x "$venv/bin/st" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi
work=$(mktemp -d)
serving=
leave() {
    [ -z "$serving" ] || { kill "$serving" && wait "$serving" || true; }
    rm -rf "$work"
}
trap leave EXIT
cd "$work"
umask 077
cat >certificate <<'CERTIFICATE'
cn = "localhost"
dns_name = "localhost"
ip_address = "127.0.0.1"
expiration_days = 1
tls_www_server
signing_key
encryption_key
CERTIFICATE
# RSA: of the elliptic keys that it makes some are coded in a length that rustls refuses.
certtool --generate-privkey --key-type rsa --bits 2048 --outfile server.key 2>/dev/null
certtool --generate-self-signed --load-privkey server.key --template certificate --outfile server.pem 2>/dev/null
cat >fleet.toml <<'FLEET'
host = [{ name = "kvm1" }, { name = "kvm2" }, { name = "kvm3" }]
domain = [
    { name = "web1", host = "kvm1", memory_mib = 64 },
    { name = "web2", host = "kvm1", memory_mib = 64 },
    { name = "db1", host = "kvm2", state = "shut-off" },
]
FLEET
cat >waypost.toml <<'CONFIGURATION'
state_dir = "state"
cache_dir = "cache"
[service]
socket = "waypost.sock"
listen = "127.0.0.1:0"
[service.tls]
certificate = "server.pem"
key = "server.key"
# One caller asks for everything, as fast as it can.
[service.limits]
requests_per_second = 0
CONFIGURATION
waypost() { "$top/target/debug/waypost" --sim fleet.toml "$@"; }
"$top/target/debug/waypost" --sim fleet.toml serve 2>said &
serving=$!
until grep -q 'listening on https' said; do kill -0 "$serving" 2>/dev/null || { cat said >&2; serving=; exit 1; }; sleep 0.1; done
port=$(sed -n 's/^listening on https:.*:\([0-9]*\)$/\1/p' said)
admin=$(waypost token create --name contract --role admin)
viewer=$(waypost token create --name onlooker --role viewer)
# Something to ask about: a migration that is over, one that was refused, and all that is on record of them.
task() { curl -sS --unix-socket waypost.sock http://waypost/api/v1/tasks --json "$1" | sed 's/^{"id":"\([^"]*\)".*/\1/'; }
over() { curl -sS --unix-socket waypost.sock "http://waypost/api/v1/tasks/$1" | grep -q '"phase":"ended"'; }
moved=$(task '{"domain": "web1", "to": "kvm2"}')
refused=$(task '{"domain": "nobody", "to": "kvm2"}')
for one in "$moved" "$refused"; do until over "$one"; do sleep 0.1; done; done
curl -sSf --cacert server.pem -H "Authorization: Bearer $viewer" "https://localhost:$port/api/v1/openapi.json" >openapi.json
counted() { curl -sSf --unix-socket waypost.sock http://waypost/metrics; }
status=0
# $1: the token, $2: seconds, and whatever else the tool is told.
ask() {
    token=$1 most=$2
    shift 2
    WAYPOST_TOKEN=$token PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=hooks \
        timeout 900 "$venv/bin/st" --config-file "$here/schemathesis.toml" run openapi.json \
        --url "https://localhost:$port" --tls-verify server.pem --max-time "$most" --no-color "$@" || status=$?
}
counted >before
ask "$admin" 240 "$@"
counted >between
python3 "$here/exercised.py" openapi.json before between || status=1
ask "$viewer" 90 --max-examples 5
counted >after
python3 "$here/exercised.py" openapi.json between after viewer || status=1
# Whatever it was asked, it is there and well, and its log tells of no defect.
curl -sS --unix-socket waypost.sock http://waypost/api/v1/system/health | grep '"ok":true' >/dev/null
if grep -n -i defect said; then exit 1; fi
exit "$status"
