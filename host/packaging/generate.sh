#!/usr/bin/env bash
# Makes what the program itself can tell for a package: manual pages and completions. Usage: generate.sh PROGRAM FOLDER
set -euo pipefail
program=$(realpath "$1") folder=$2
rm -rf "$folder"
mkdir -p "$folder/man"
"$program" man --dir "$folder/man"
# Without a time of its own in it, the same page is the same file.
gzip -9n "$folder"/man/*.1
"$program" completions bash >"$folder/waypost.bash"
"$program" completions zsh >"$folder/_waypost"
"$program" completions fish >"$folder/waypost.fish"
