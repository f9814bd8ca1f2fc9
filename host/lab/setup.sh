#!/usr/bin/env bash
# Installs what building and the lab need and the machine lacks: Debian packages and Rust's WebAssembly target.
# Does nothing, quickly, where everything is there. Needs root only if a package is missing.
set -euo pipefail

# package:probe - a program, or a file below /usr/include or /usr/lib that only this package brings.
packages=(
    "gcc:cc"
    "pkg-config:pkg-config"
    "libvirt-dev:/usr/include/libvirt/libvirt.h"
    "libvirt-daemon:libvirtd"
    "libvirt-daemon-driver-qemu:/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so"
    "libvirt-daemon-system:/etc/libvirt/libvirtd.conf"
    "libvirt-clients:virsh"
    "qemu-system-x86:qemu-system-x86_64"
    "qemu-utils:qemu-img"
    "gnutls-bin:certtool"
    "nasm:nasm"
    "busybox-static:busybox"
    "cpio:cpio"
    "bindfs:bindfs"
    "iproute2:ip"
    "nftables:nft"
    "util-linux:nsenter"
    # For the guide to the service.
    "curl:curl"
    # For the figures of the service under load.
    "hey:hey"
    # For the test of the service's units.
    "systemd:systemd-analyze"
    # For the script among the examples.
    "python3:python3"
    # For the tests of the ways to reach a host: passwords, and logins by key.
    "sasl2-bin:saslpasswd2"
    "libsasl2-modules:/usr/lib/x86_64-linux-gnu/sasl2/libdigestmd5.so"
    "libsasl2-modules-db:/usr/lib/x86_64-linux-gnu/sasl2/libsasldb.so"
    "openssh-client:ssh"
    "openssh-server:sshd"
)

missing=()
for entry in "${packages[@]}"; do
    package=${entry%%:*} probe=${entry#*:}
    case $probe in
        /*) [ -e "$probe" ] || missing+=("$package") ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$probe" >/dev/null || missing+=("$package") ;;
    esac
done

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "setup: these Debian packages are missing: ${missing[*]}" >&2
        echo "setup: run 'sudo host/lab/setup.sh' once, then this command again" >&2
        exit 1
    fi
    command -v apt-get >/dev/null || { echo "setup: install by hand (no apt-get here): ${missing[*]}" >&2; exit 1; }
    echo "setup: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # Some machines ship qemu-utils from backports, which the stable qemu-system-x86 refuses to live with: the release's
    # own is asked for by name.
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    wanted=()
    for package in "${missing[@]}"; do wanted+=("$package"); done
    if [ "$release" = bookworm ] && [[ " ${missing[*]} " == *" qemu-system-x86 "* ]]; then
        wanted+=("qemu-utils/bookworm")
    fi
    # The lab starts daemons of its own. This machine must not begin to accept logins because of it.
    new_sshd= policy=/usr/sbin/policy-rc.d
    if [[ " ${missing[*]} " == *" openssh-server "* ]]; then
        new_sshd=yes
        if [ ! -e "$policy" ]; then
            trap 'rm -f "$policy"' EXIT
            printf '#!/bin/sh\n[ "$1" != ssh ] || exit 101\n' >"$policy"
            chmod 755 "$policy"
        fi
    fi
    if ! { apt-get update -q && apt-get install -y -q --no-install-recommends --allow-downgrades "${wanted[@]}"; } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "setup: apt-get could not install them; the whole log is $log" >&2
        exit 1
    fi
    rm -f "$log"
    if [ -n "$new_sshd" ]; then
        if command -v systemctl >/dev/null; then
            systemctl disable --quiet ssh.service ssh.socket
        else
            update-rc.d ssh disable
        fi
        echo "setup: openssh-server is there for the lab alone: this machine's own ssh service is not enabled"
    fi
fi

command -v cargo >/dev/null || { echo "setup: cargo is missing: install Rust with rustup (https://rustup.rs)" >&2; exit 1; }
if command -v rustup >/dev/null; then
    channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$(dirname "$0")/../../rust-toolchain.toml")
    rustup toolchain list | grep -q "^$channel" || rustup toolchain install --profile minimal "$channel"
    for component in clippy rustfmt; do
        rustup component list --toolchain "$channel" --installed | grep -q "^$component" || rustup component add --toolchain "$channel" "$component"
    done
    rustup target list --toolchain "$channel" --installed | grep -q '^wasm32-unknown-unknown$' ||
        rustup target add --toolchain "$channel" wasm32-unknown-unknown
fi
