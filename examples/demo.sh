#!/usr/bin/env bash
# What `make demo` runs: a real Linux guest moves between two real libvirt hosts, judged by plugins; a second guest is
# refused; a plugin that is written while you watch changes the verdict of a running check. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

waypost=$PWD/target/debug/waypost
work=$(mktemp -d /tmp/waypost-demo-XXXXXX)
lab=$work/lab
watching=

clean_up() {
    [ -z "$watching" ] || kill "$watching" 2>/dev/null || true
    "$waypost" lab down --dir "$lab" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

bold=$(tput bold 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true)
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() { printf '%s$ waypost %s%s\n' "$bold" "$*" "$plain"; "$waypost" "$@"; }
# A command that is expected to end with a certain status; another one ends the demo.
run_expecting() {
    local expected=$1 status=0
    shift
    run "$@" || status=$?
    if [ "$status" != "$expected" ]; then
        echo "demo: this should have ended with status $expected, not $status" >&2
        exit 1
    fi
}

say "Two libvirt hosts on this machine: namespaces, real daemons, real QEMU"
if ! "$waypost" lab up --hosts 2 --dir "$lab" >/dev/null 2>"$work/up.log"; then
    cat "$work/up.log" >&2
    exit 1
fi
export WAYPOST_CONFIG=$lab/waypost.toml
cat >>"$WAYPOST_CONFIG" <<'TOML'

# The rule that is written below: domains of this name stay.
[plugin.stay]
settings = { prefix = "web" }
TOML
"$waypost" lab guest web1 --linux --dir "$lab"
"$waypost" lab guest db1 --local-disk --dir "$lab"
run hosts
run domains

say "Where may web1 go? Every shipped rule is asked, nothing is touched"
run check web1 --all

say "Move it: a Linux guest that goes on counting on its serial port"
run migrate web1 --to kvm2 --bandwidth 40
run lab counter web1 --dir "$lab"

say "db1 has its disk on kvm1's own store: refused, with a reason and a remedy"
run_expecting 3 migrate db1 --to kvm2

say "A rule of your own: scaffold, build with cargo alone, drop it into the folder of a check that is watching"
run plugin new "$work/stay" >/dev/null
echo "building $(wc -l <"$work/stay/src/lib.rs") lines of Rust ..."
# One target folder for all demos: the second one has nothing but the rule itself to compile.
(cd "$work/stay" && CARGO_TARGET_DIR=$OLDPWD/target/demo cargo +"$(sed -n 's/^channel = "\(.*\)"/\1/p' "$OLDPWD/rust-toolchain.toml")" \
    build --quiet --release --target wasm32-unknown-unknown)
coproc WATCH { exec "$waypost" check web1 --to kvm1 --watch 2>&1; }
watching=$WATCH_PID
exec {seen}<&"${WATCH[0]}"
# Shows what the watching check prints, up to and with a verdict of that kind.
until_verdict() {
    local line found=
    while IFS= read -r -t "${found:-30}" line <&"$seen"; do
        echo "  | $line"
        # The lines of a verdict come at once; a fifth of a second without another one is its end.
        case $line in *"kvm1: $1"*) found=0.2 ;; esac
    done
    [ -n "$found" ] && return
    echo "demo: the watching check never said '$1'" >&2
    exit 1
}
until_verdict allowed
echo "$ cp stay.wasm plugins/"
cp target/demo/wasm32-unknown-unknown/release/stay.wasm "$lab/plugins/stay.wasm"
until_verdict refused
echo "$ rm plugins/stay.wasm"
rm "$lab/plugins/stay.wasm"
until_verdict allowed
kill "$watching" 2>/dev/null || true
watching=

say "Everything is on record"
run tasks

"$waypost" lab down --dir "$lab" >/dev/null
say "Done: the hosts, the guests and every file of theirs are gone"
