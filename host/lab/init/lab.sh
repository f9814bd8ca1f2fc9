#!/bin/sh
# Process 1 of a lab: owns the two switches, the shared store and, as its ancestor, every process of every host.
# It lives as long as someone holds the other end of the control pipe; then it removes the lab and itself.
# $1 = the lab's directory
dir=$1
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
fail() { echo "lab: $*" >&2; exit 1; }

mount --make-rprivate / || fail 'mounts cannot be made private'
mount -t proc proc /proc || fail '/proc cannot be mounted'
# One FUSE mount for all hosts: one superblock, hence one inode and one set of locks per file. bindfs names its source by
# the real path of the directory, hence the detour: the name has to look like host:directory to libvirt's netfs pools.
# Nothing is remembered of names and sizes, so that images may be put under the mount from outside.
mount -t tmpfs -o mode=755 lab /srv || fail '/srv cannot be covered'
mkdir -p /srv/labstore:/vol0 /srv/shared
mount --bind "$dir/store" /srv/labstore:/vol0 || fail 'the store cannot be bound'
bindfs -o subtype=glusterfs,attr_timeout=0,entry_timeout=0,negative_timeout=0 /srv/labstore:/vol0 /srv/shared || fail 'bindfs cannot mount the shared store'

ip -batch - <<EOF || fail 'the switches cannot be made'
link set lo up
link add br-mgmt type bridge
link add br-mig type bridge
addr add 10.77.0.254/24 dev br-mgmt
addr add 10.88.0.254/24 dev br-mig
link set br-mgmt up
link set br-mig up
EOF

exec 3<"$dir/control"
echo ready
exec >/dev/null
while read -r verb name <&3; do
    case $verb in
    host)
        unshare --mount --uts --net --ipc --pid --fork --kill-child -- \
            sh "$dir/host.sh" "$dir" "$name" </dev/null >"$dir/log/$name.init" 2>&1 3<&- 4<&- &
        ;;
    detach) exec 4<>"$dir/control" ;;
    esac
done

# Nobody holds the lab any more.
cd /
kill -KILL -1
umount -l /srv/shared
tries=0
while [ -e "$dir" ] && [ $tries -lt 100 ]; do
    rm -rf --one-file-system "$dir" 2>/dev/null || sleep 0.02
    tries=$((tries + 1))
done
