#!/usr/bin/env bash
# The dashboard of a real service over real hosts, driven in Debian's chromium. `make browser` runs it: four hosts of the lab with
# guests, `waypost serve` with a TLS port whose certificate is made here, tokens for who logs in, then drive.mjs, and examples.mjs for
# the pages of the examples.
# PICTURES=FOLDER keeps what is seen on the way, in light and dark. Leaves nothing behind.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
waypost=$top/target/debug/waypost
work=$(mktemp -d /tmp/waypost-browser-XXXXXX)
export LAB=$work/lab WAYPOST=$waypost
serving=

leave() {
    [ -z "$serving" ] || { kill "$serving" 2>/dev/null && wait "$serving" 2>/dev/null; } || true
    "$waypost" lab down --dir "$LAB" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM

say() { printf '# %s\n' "$*"; }
inside() { "$waypost" lab run --dir "$LAB" "$@"; }
guest() { "$waypost" lab guest --dir "$LAB" "$@"; }

say "four hosts, and guests on them"
"$waypost" lab up --hosts 4 --dir "$LAB" >/dev/null 2>"$work/up" || { cat "$work/up" >&2; exit 1; }
# What the guests of web1's network need, and kvm3 has not.
for host in kvm1 kvm2 kvm4; do
    inside "$host" ip link add br-web type bridge
    inside "$host" ip link set br-web up
done
guest web1 --linux --off
inside kvm1 virsh -q attach-interface web1 bridge br-web --model virtio --config
inside kvm1 virsh -q start web1
guest web2 --linux
guest mail1
guest wiki --off
guest db1 --local-disk
guest cache1 --host kvm2
guest cache2 --host kvm2
guest search1 --host kvm3
guest backup --host kvm4 --off

say "a service with a port, and who may use it"
cat >"$work/certificate" <<'TEMPLATE'
cn = "localhost"
dns_name = "localhost"
ip_address = "127.0.0.1"
expiration_days = 2
signing_key
tls_www_server
TEMPLATE
certtool --generate-privkey --key-type rsa --bits 2048 --outfile "$work/key.pem" 2>"$work/certtool"
certtool --generate-self-signed --load-privkey "$work/key.pem" --template "$work/certificate" --outfile "$work/cert.pem" 2>>"$work/certtool" ||
    { cat "$work/certtool" >&2; exit 1; }
export WAYPOST_CONFIG=$LAB/waypost.toml
cat >>"$WAYPOST_CONFIG" <<TOML

# One at a time, so that the next one waits.
[migrations]
outgoing_per_host = 1

[service]
socket = "waypost.sock"
listen = "127.0.0.1:0"

[service.tls]
certificate = "$work/cert.pem"
key = "$work/key.pem"
TOML
token() { "$waypost" token create --name "$1" --role "$2" 2>"$work/token.said"; }
OLGA=$(token olga operator)
VERA=$(token vera viewer)
PETRA=$(token petra policy-admin)
export OLGA VERA PETRA
"$waypost" serve 2>"$work/said" >"$work/documents" &
serving=$!
until URL=$(grep -o 'https://.*' "$work/said"); do
    kill -0 "$serving" 2>/dev/null || { cat "$work/said" >&2; exit 1; }
    sleep 0.1
done
export URL

say "the dashboard at $URL"
status=0
node "$here/drive.mjs" || status=$?
if [ "$status" = 0 ]; then
    say "the pages of the examples"
    OTTO=$(token otto operator)
    export OTTO
    DOMAIN=web2 TO=kvm4 AXUM=$top/target/debug/examples/axum_dashboard node "$here/examples.mjs" || status=$?
fi
if [ "$status" != 0 ]; then
    say "what the service said"
    cat "$work/said"
fi
exit "$status"
