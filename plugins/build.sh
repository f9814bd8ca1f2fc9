#!/usr/bin/env bash
# Builds every shipped policy and puts it where the program and the tests look for it:
#   target/plugins/            what is installed by default
#   target/plugins-optional/   what a site installs on purpose ([package.metadata.waypost] optional = true)
# A file is replaced only if it changed, so that a watching program sees nothing where there is nothing to see.
set -euo pipefail
cd "$(dirname "$0")/.."

target_dir=${CARGO_TARGET_DIR:-target}
packages=() transforms=() files=() homes=()
for manifest in plugins/*/Cargo.toml; do
    name=$(basename "$(dirname "$manifest")")
    grep -q '"cdylib"' "$manifest" || continue
    if [[ $name == transform-* ]]; then transforms+=(-p "$name"); else packages+=(-p "$name"); fi
    files+=("${name//-/_}.wasm")
    if grep -Eq '^optional = true' "$manifest"; then homes+=(plugins-optional); else homes+=(plugins); fi
done

# One after the other: built together, every policy would hold what only transforms need (a feature of the SDK).
for group in "${packages[*]}" "${transforms[*]}"; do
    # shellcheck disable=SC2086 # the words of a group are arguments
    cargo build --quiet --locked --profile plugin --target wasm32-unknown-unknown $group
done

mkdir -p "$target_dir/plugins" "$target_dir/plugins-optional"
for at in "${!files[@]}"; do
    built=$target_dir/wasm32-unknown-unknown/plugin/${files[$at]}
    there=$target_dir/${homes[$at]}/$(tr _ - <<<"${files[$at]}")
    if ! cmp -s "$built" "$there"; then
        cp "$built" "$there.new"
        mv "$there.new" "$there"
        echo "built ${there#"$target_dir"/} ($(stat -c %s "$there") bytes)"
    fi
done

# What is no longer in the sources must not be loaded from here.
for there in "$target_dir"/plugins/*.wasm "$target_dir"/plugins-optional/*.wasm; do
    [ -e "$there" ] || continue
    name=$(basename "$there" .wasm)
    keep=no
    for at in "${!files[@]}"; do
        if [ "${files[$at]}" = "${name//-/_}.wasm" ] && [ "$(basename "$(dirname "$there")")" = "${homes[$at]}" ]; then
            keep=yes
        fi
    done
    [ "$keep" = yes ] || { rm "$there"; echo "removed ${there#"$target_dir"/}"; }
done
