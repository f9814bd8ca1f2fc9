#!/usr/bin/env bash
# The package in Debian's Cockpit and a browser, against a service over simulated hosts. Needs the packages cockpit-ws,
# cockpit-bridge and chromium, and `npm ci` in host/service/web. `make cockpit` runs it.
# COCKPIT is a folder with Cockpit's packages unpacked, where they are not installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cockpit=${COCKPIT:-}
for needed in "$cockpit/usr/lib/cockpit/cockpit-ws" "$cockpit/usr/bin/cockpit-bridge"; do
    [ -x "$needed" ] || { echo "$needed is missing: apt-get install cockpit-ws cockpit-bridge, or name a folder with them in COCKPIT" >&2; exit 1; }
done
work=$(mktemp -d)
pids=()
leave() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap leave EXIT
cd "$work"

cat >fleet.toml <<'FLEET'
host = [{ name = "kvm1" }, { name = "kvm2" }]
link = [{ between = ["kvm1", "kvm2"], bandwidth_mib_s = 200 }]
domain = [{ name = "web1", host = "kvm1", memory_mib = 1024 }]
FLEET
printf 'state_dir = "state"\ncache_dir = "cache"\n' >waypost.toml
"$top/target/debug/waypost" --sim fleet.toml serve --socket waypost.sock 2>said &
pids+=($!)
until grep -q '^listening on' said; do kill -0 "${pids[0]}"; sleep 0.1; done

# As it is installed, but for where the socket is.
package=data/cockpit/waypost
mkdir -p "$package"
cp "$here"/{manifest.json,index.html,channel.js} "$top"/host/service/web/dist/{waypost.js,dashboard.css} "$package"
sed "s#/run/waypost/waypost.sock#$work/waypost.sock#" "$here/page.js" >"$package/page.js"

port=${PORT:-19090}
PATH=$PATH:$cockpit/usr/bin XDG_DATA_DIRS=$work/data:$cockpit/usr/share XDG_CONFIG_DIRS=$work \
    "$cockpit/usr/lib/cockpit/cockpit-ws" --address 127.0.0.1 --port "$port" --local-session="$cockpit/usr/bin/cockpit-bridge" &
pids+=($!)
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do kill -0 "${pids[1]}"; sleep 0.1; done
node "$here/try.mjs" "http://127.0.0.1:$port/cockpit/@localhost/waypost/index.html" "$work/waypost.sock" "${PICTURE:-}"
