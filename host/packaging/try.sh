#!/usr/bin/env bash
# Installs a package in a clean Debian and uses it there, updates and purges it; then boots that Debian's systemd in a container and has
# the units run under it (booted.sh). What stays untried is told in docs/service.md, "Under systemd". Usage: try.sh FILE.deb
# Needs root, debootstrap, systemd-nspawn and the network. The Debian is made in a temporary folder, and is gone afterwards.
set -euo pipefail
package=$(realpath "$1")
[ "$(id -u)" = 0 ] || { echo "try: run this as root" >&2; exit 1; }
PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(realpath "$0")")
for needed in debootstrap:debootstrap systemd-nspawn:systemd-container; do
    command -v "${needed%:*}" >/dev/null || { echo "try: ${needed%:*} is missing: apt-get install ${needed#*:}" >&2; exit 1; }
done

root=$(mktemp -d /var/tmp/waypost-deb-XXXXXX)
serving=
leave() {
    [ -z "$serving" ] || kill "$serving" 2>/dev/null || true
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap leave EXIT
step() { echo "try: $*"; }
# A command that must fail. (After a bare `!` the shell goes on, whatever came of it.)
not() { if "$@"; then echo "try: this should have failed: $*" >&2; return 1; fi; }
inside() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

step "a clean Debian"
debootstrap --variant=minbase "${SUITE:-bookworm}" "$root" "${MIRROR:-http://deb.debian.org/debian}" >"$root.log" 2>&1 ||
    { tail -20 "$root.log"; exit 1; }
rm -f "$root.log"
mount -t proc proc "$root/proc"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"

step "the package, with what it depends on"
cp "$package" "$root/tmp/waypost.deb"
inside apt-get -qq update
inside apt-get -qq install -y --no-install-recommends /tmp/waypost.deb curl man-db bash-completion >/dev/null
inside dpkg --verify waypost
[ "$(inside dpkg-query -W -f '${db:Status-Abbrev}' waypost)" = "ii " ]

step "its user and folders"
inside id waypost | grep -q 'groups=.*libvirt'
[ "$(inside stat -c '%U %a' /var/lib/waypost)" = "waypost 700" ]
[ "$(inside stat -c '%U:%G %a' /etc/waypost)" = "root:waypost 750" ]
# Whoever may use the socket reads none of the service's secrets: nobody is in the group that may, but the service.
inside getent group waypost-clients >/dev/null
[ -z "$(inside getent group waypost | cut -d: -f4)" ]
not grep -qw waypost-clients <(inside id -nG waypost)
inside useradd --groups waypost-clients anna
inside install -D -m 640 -o root -g waypost /dev/null /etc/waypost/tls/server.key
inside setpriv --reuid=waypost --regid=waypost --init-groups test -r /etc/waypost/tls/server.key
not inside setpriv --reuid=anna --regid=anna --init-groups test -r /etc/waypost/tls/server.key
inside rm -r /etc/waypost/tls
inside userdel anna

step "the program, its policies and pages"
inside waypost --version
not grep 'not found' <(inside ldd /usr/bin/waypost)
as() { inside setpriv --reuid=waypost --regid=waypost --init-groups env HOME=/var/lib/waypost WAYPOST_CONFIG=/etc/waypost/waypost.toml "$@"; }
as waypost --json plugin list | grep -q '"state":"ready"'
not grep -qE '"state":"(broken|missing|refused)' <(as waypost --json plugin list)
inside test -s /usr/share/man/man1/waypost-serve.1.gz
inside bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader waypost; complete -p waypost' >/dev/null
inside systemd-analyze verify --man=no /usr/lib/systemd/system/waypost.service

step "the service, as its user and with its configuration"
cat >"$root/srv/fleet.toml" <<'FLEET'
host = [{ name = "kvm1" }, { name = "kvm2" }]
domain = [{ name = "web1", host = "kvm1" }]
FLEET
chmod 644 "$root/srv/fleet.toml"
install -d -o "$(inside id -u waypost)" -g "$(inside id -g waypost)" "$root/run/waypost"
as waypost --sim /srv/fleet.toml serve --check

# What of the unit's sandbox needs no systemd: all is read-only but the service's own folders, /tmp is its own, there are no home
# folders and no other processes, and no privilege is there or to be had. The filters of calls and addresses are systemd's.
confined() {
    unshare --mount --ipc --propagation private bash -euc '
        root=$1; shift
        mount --bind "$root" "$root"
        for own in var/lib/waypost var/cache/waypost run/waypost; do mount --bind "$root/$own" "$root/$own"; done
        mount -t proc -o hidepid=invisible proc "$root/proc"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        for home in home root; do mount -t tmpfs -o ro,mode=0 tmpfs "$root/$home"; done
        mount -o remount,bind,ro "$root"
        umask 0077
        exec chroot "$root" setpriv --reuid=waypost --regid=waypost --init-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
            env PATH=/usr/bin:/bin LC_ALL=C.UTF-8 HOME=/var/lib/waypost WAYPOST_CONFIG=/etc/waypost/waypost.toml "$@"
    ' confined "$root" "$@"
}
step "the service, confined as far as that goes here"
confined touch /var/lib/waypost/mine /tmp/mine
not confined touch /etc/waypost/mine 2>/dev/null
not confined ls /root 2>/dev/null
test ! -e "$root/tmp/mine"
rm "$root/var/lib/waypost/mine"
confined waypost --sim /srv/fleet.toml serve &
serving=$!
ask() { inside curl -sS --fail --retry 50 --retry-delay 1 --retry-all-errors --unix-socket /run/waypost/waypost.sock "http://waypost/api/v1$1" "${@:2}"; }
ask /system/ready
grep -q '^NoNewPrivs:[[:space:]]*1$' "/proc/$serving/status"
grep -q '^CapBnd:[[:space:]]*0*$' "/proc/$serving/status"
task=$(ask /tasks --json '{"domain": "web1", "to": "kvm2"}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
until ask "/tasks/$task?wait=30" | grep -q '"phase":"ended"'; do :; done
ask "/tasks/$task" | grep -q '"status":"completed"'
as waypost --sim /srv/fleet.toml state backup /var/lib/waypost/b.db
kill "$serving"
wait "$serving" || true
serving=

step "the same package again, and a newer one with another configuration: what is the site's stays"
echo '# ours' >>"$root/etc/waypost/waypost.toml"
kept() {
    [ "$(inside tail -n 1 /etc/waypost/waypost.toml)" = "# ours" ]
    [ "$(inside stat -c '%U %a' /var/lib/waypost)" = "waypost 700" ]
    as waypost --sim /srv/fleet.toml --json tasks | grep -q "$task"
}
inside dpkg -i /tmp/waypost.deb >/dev/null
kept
inside dpkg-deb -R /tmp/waypost.deb /tmp/newer
inside sed -i 's/^Version: .*/&+newer/' /tmp/newer/DEBIAN/control
echo '# theirs' >>"$root/tmp/newer/etc/waypost/waypost.toml"
inside dpkg-deb -b /tmp/newer /tmp/newer.deb >/dev/null
inside dpkg -i --force-confold /tmp/newer.deb >/dev/null
inside dpkg-query -W -f '${Version}' waypost | grep -q '+newer$'
[ "$(inside tail -n 1 /etc/waypost/waypost.toml.dpkg-dist)" = "# theirs" ]
kept

step "over one whose socket was the service's own group's: whoever was let in stays let in, and is named"
inside groupdel waypost-clients
inside useradd --groups waypost anna
rm -f "$root/run/waypost/waypost.sock"
inside perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0) && bind($s, sockaddr_un($ARGV[0])) or die $!' /run/waypost/waypost.sock
inside chgrp waypost /run/waypost/waypost.sock
grep -q 'gpasswd --delete anna waypost' <<<"$(inside dpkg -i --force-confold /tmp/newer.deb)"
grep -qw waypost-clients <(inside id -nG anna)
[ "$(inside stat -c %G /run/waypost/waypost.sock)" = waypost-clients ]
# Once it is done it is not done again.
inside gpasswd --delete anna waypost-clients >/dev/null
inside dpkg -i --force-confold /tmp/newer.deb >/dev/null
not grep -qw waypost-clients <(inside id -nG anna)
inside userdel anna
rm "$root/run/waypost/waypost.sock"

step "away with it"
inside apt-get -qq purge -y waypost >/dev/null
inside test ! -e /etc/waypost/waypost.toml
inside test ! -e /usr/bin/waypost
inside test -e /var/lib/waypost/b.db

step "installed again, with a libvirtd and ssh beside it, and booted"
inside dpkg -i /tmp/waypost.deb >/dev/null
inside apt-get -qq install -y --no-install-recommends libvirt-daemon-system openssh-client perl-base >/dev/null 2>&1
umount "$root/proc"
rm "$root/usr/sbin/policy-rc.d"
install -m 755 "$here/booted.sh" "$root/srv/booted.sh"
# It ends the container, as well or as badly as the script ends.
cat >"$root/etc/systemd/system/booted.service" <<'UNIT'
[Unit]
After=multi-user.target
SuccessAction=exit
FailureAction=exit
SuccessActionExitStatus=0
FailureActionExitStatus=1
[Service]
Type=oneshot
ExecStart=/srv/booted.sh
StandardOutput=append:/srv/booted.log
StandardError=inherit
[Install]
WantedBy=default.target
UNIT
inside systemctl --quiet enable booted.service
# Where this machine has a systemd, it is told of the container; elsewhere there is nobody to tell.
alone=(--register=no --keep-unit)
[ ! -d /run/systemd/system ] || alone=()
came=0
timeout 600 systemd-nspawn "${alone[@]}" --quiet --directory "$root" --machine "$(basename "$root")" --private-network --boot \
    >"$root/srv/console.log" 2>&1 </dev/null || came=$?
cat "$root/srv/booted.log" 2>/dev/null || came=1
# A script that was never started is not one that found nothing.
grep -qx 'booted: all is well' "$root/srv/booted.log" || came=1
[ "$came" = 0 ] || { tail -30 "$root/srv/console.log"; echo "try: the package failed under a booted systemd" >&2; exit 1; }
step "all is well"
