#!/usr/bin/env bash
# The installed package under a systemd that has booted: what try.sh starts inside its Debian, as root. It is in nobody's way there,
# so it may kill, stop and configure what it likes.
set -euo pipefail
step() { echo "booted: $*"; }
not() { if "$@"; then echo "booted: this should have failed: $*" >&2; return 1; fi; }
property() { systemctl show --property "$1" --value waypost.service; }
# What systemd notices on its own time, waited for: WHAT until it holds, for a minute.
until_it_is() { timeout 60 bash -c 'until '"$1"'; do sleep 0.2; done' || { echo "booted: never: $1" >&2; return 1; }; }
told() {
    systemctl --no-pager --full status waypost.service waypost.socket || true
    journalctl --no-pager --unit waypost.service --unit probe.service --lines 60
}
trap 'status=$?; [ $status = 0 ] || told; exit $status' EXIT
ask() { curl -sS --max-time 70 --unix-socket /run/waypost/waypost.sock "http://waypost/api/v1$1" "${@:2}"; }
configured() { printf '%s\n' "$@" >/etc/systemd/system/waypost.service.d/try.conf; systemctl daemon-reload; }
mkdir -p /etc/systemd/system/waypost.service.d
useradd --groups waypost-clients anna
useradd bert

step "enabled, started, and up when it says so"
configured "[Service]" "ExecStart=" "ExecStart=/usr/bin/waypost --sim /srv/fleet.toml serve"
systemctl enable --now waypost
[ "$(property ActiveState)" = active ]
[ "$(property StatusText)" = "listening on /run/waypost/waypost.sock" ]

step "the socket is its clients', and nobody else's"
[ "$(stat -c '%U:%G %a' /run/waypost/waypost.sock)" = "waypost:waypost-clients 660" ]
asked_by() { runuser -u "$1" -- curl -sS --fail --unix-socket /run/waypost/waypost.sock http://waypost/api/v1/system/ready; }
asked_by anna >/dev/null
not asked_by bert 2>/dev/null

step "a migration, judged by compiled policies"
task=$(ask /tasks --json '{"domain": "web1", "to": "kvm2"}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
until ask "/tasks/$task?wait=30" | grep -q '"phase":"ended"'; do :; done
ask "/tasks/$task" | grep -q '"status":"completed"'

step "what the sandbox lets through, and what not"
# The same unit with another program in it.
sed -e 's,^ExecStart=.*,ExecStart=/bin/bash /srv/probe.sh,' -e 's/^Type=.*/Type=oneshot/' -e '/^Restart/d' -e '/^WatchdogSec/d' \
    /usr/lib/systemd/system/waypost.service >/etc/systemd/system/probe.service
cat >/srv/probe.sh <<'PROBE'
set -euo pipefail
not() { if "$@"; then echo "this should have failed: $*" >&2; exit 1; fi; }
family() { perl -MSocket -e 'exit !socket(my $s, $ARGV[0], $ARGV[1], 0)' "$@"; }
touch /var/lib/waypost/mine /var/cache/waypost/mine /tmp/mine
rm /var/lib/waypost/mine /var/cache/waypost/mine
not touch /etc/waypost/mine
not touch /run/waypost/mine
not ls /root
not ls /home
[ "$(find /dev -type b | wc -l)" = 0 ]
not test -e /dev/kmsg
not test -e /proc/1
not unshare --user true
not unshare --mount true
not mknod /tmp/null c 1 3
# Unix, IPv4 and IPv6, and neither the kernel's (netlink) nor raw packets.
for other in 1 2 10; do family $other 1; done
not family 16 3
not family 17 3
grep -q '^Seccomp:[[:space:]]*2$' /proc/self/status
grep -q '^NoNewPrivs:[[:space:]]*1$' /proc/self/status
for set in CapInh CapPrm CapEff CapBnd CapAmb; do grep -q "^$set:[[:space:]]*0*\$" /proc/self/status; done
PROBE
systemctl daemon-reload
systemctl start probe
test ! -e /tmp/mine

step "killed, it is back, and no client is turned away meanwhile"
kill -9 "$(property MainPID)"
ask /system/ready | grep -q '"ok":true'
[ "$(property NRestarts)" = 1 ]
ask "/tasks/$task" | grep -q '"status":"completed"'

step "one that stands still is found by the watchdog"
configured "[Service]" "ExecStart=" "ExecStart=/usr/bin/waypost --sim /srv/fleet.toml serve" "WatchdogSec=4"
systemctl restart waypost
systemctl kill --signal STOP waypost
ask /system/ready | grep -q '"ok":true'
[ "$(property NRestarts)" = 1 ]
journalctl --unit waypost.service | grep -q 'Watchdog timeout'
# One that lives is fed: twice that time, and it is the same one. (Nothing tells that a watchdog did not bite but time.)
alive=$(property MainPID)
sleep 8
[ "$(property MainPID)" = "$alive" ]

step "another configuration is taken, and one that can't be used is not"
systemctl reload waypost
until_it_is '[ "$(systemctl show --property StatusText --value waypost)" = "listening on /run/waypost/waypost.sock" ]'
cp /etc/waypost/waypost.toml /srv/good.toml
echo 'nonsense = 3' >>/etc/waypost/waypost.toml
systemctl reload waypost
until_it_is 'systemctl show --property StatusText --value waypost | grep -q nonsense'
cp /srv/good.toml /etc/waypost/waypost.toml
systemctl reload waypost
until_it_is '! systemctl show --property StatusText --value waypost | grep -q nonsense'
[ "$(property ActiveState) $(property MainPID)" = "active $alive" ]

step "stopped, it is started by the next client"
systemctl stop waypost
[ "$(property ActiveState)" = inactive ]
ask /system/ready | grep -q '"ok":true'
[ "$(property ActiveState)" = active ]

step "real hosts: the libvirtd of this machine by its group, ssh from inside the sandbox, a password that systemd hands over"
configured "[Service]" "LoadCredential=far.auth:/srv/far.auth"
printf '[credentials-far]\nauthname=a\npassword=b\n[auth-libvirt-far]\ncredentials=far\n' >/srv/far.auth
chmod 600 /srv/far.auth
cat >>/etc/waypost/waypost.toml <<'HOSTS'
[[host]]
name = "here"
uri = "qemu:///system"
[[host]]
name = "by-ssh"
uri = "qemu+ssh://waypost@127.0.0.1:1/system"
[[host]]
name = "by-password"
uri = "qemu+tcp://127.0.0.1:1/system"
auth_file = "/run/credentials/waypost.service/far.auth"
HOSTS
systemctl restart waypost
hosts=$(ask /hosts)
error() { echo "$hosts" | sed "s/.*\"name\":\"$1\",\"error\":\"\([^\"]*\)\".*/\1/"; }
# Without an emulator on this machine libvirtd can tell nothing of what it would run; that it says so is its answer.
grep -q 'suitable emulator' <<<"$(error here)"
grep -q 'port 1: Connection refused' <<<"$(error by-ssh)"
grep -q "127.0.0.1:1.*Connection refused" <<<"$(error by-password)"

step "away with it, while it runs"
apt-get -qq purge -y waypost >/dev/null
not systemctl --quiet is-active waypost.service waypost.socket
test ! -e /run/waypost/waypost.sock
step "all is well"
