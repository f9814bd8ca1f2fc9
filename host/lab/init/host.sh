#!/bin/sh
# Process 1 of a lab host: gives it its own files, then collects what dies for as long as the host is powered on.
# $1 = the lab's directory, $2 = the host's name
set -e
dir=$1 name=$2 host=$1/hosts/$2
exec 3>"$host/ready"
mount --make-rprivate /
mount -t proc proc /proc
hostname "$name"
# A machine without /etc/pki must not get one because of a lab: an overlay supplies the missing mount points.
if [ ! -d /etc/pki ] || [ ! -d /etc/libvirt ] || { [ -d "$host/etc-sasl2" ] && [ ! -d /etc/sasl2 ]; }; then
    mount -t tmpfs -o mode=755 lab "$host/overlay"
    mkdir "$host/overlay/upper" "$host/overlay/work"
    mount -t overlay -o "lowerdir=/etc,upperdir=$host/overlay/upper,workdir=$host/overlay/work" lab /etc
    mkdir -p /etc/pki /etc/libvirt /etc/sasl2
fi
# What lies under the shared store is for nobody to see.
umount /srv/labstore:/vol0
mount --bind "$host/etc-libvirt" /etc/libvirt
mount --bind "$host/etc-pki" /etc/pki
mount --bind "$host/etc-hosts" /etc/hosts
if [ -d "$host/etc-ssh" ]; then
    mount --bind "$host/etc-ssh" /etc/ssh
    mount --bind "$host/etc-passwd" /etc/passwd
    mount --bind "$host/etc-shadow" /etc/shadow
fi
[ ! -d "$host/etc-sasl2" ] || mount --bind "$host/etc-sasl2" /etc/sasl2
mount --bind "$host/var-lib" /var/lib/libvirt
mount --bind "$host/var-cache" /var/cache/libvirt
mount --bind "$host/var-log" /var/log/libvirt
mount -t sysfs sysfs /sys
mount -t tmpfs lab /sys/fs/cgroup
mount -t tmpfs -o mode=1777 lab /dev/shm
# Last, because the lab's own directory may lie below it.
mount --bind "$host/run" /run
ip link set lo up
echo ready >&3
exec 3>&-
set +e
while :; do
    sleep 3600 &
    wait $!
done
