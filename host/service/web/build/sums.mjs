// Writes, or with --check compares, `dist/SHA256SUMS`: the digest of every source that the bundle is made of and of every file
// that was made, as `sha256sum` writes them, sorted by path. So anybody can tell whether `dist` is what the sources give:
// `sha256sum -c dist/SHA256SUMS` here, and a test of the service that needs no node.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const LIST = "dist/SHA256SUMS";
/** What the bundle does not depend on. */
const APART = ["node_modules", "dev", "test", "README.md", ".gitignore", LIST];

function files(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder ? `${folder}/${entry.name}` : entry.name;
    if (APART.includes(path)) return [];
    return entry.isDirectory() ? files(path) : [path];
  });
}

const sums = files("")
  .sort((a, b) => (a < b ? -1 : 1))
  .map((path) => `${createHash("sha256").update(readFileSync(join(root, path))).digest("hex")}  ${path}\n`)
  .join("");

if (!process.argv.includes("--check")) {
  writeFileSync(join(root, LIST), sums);
} else if (readFileSync(join(root, LIST), "utf8") !== sums) {
  console.error(`${LIST} is not of these sources: run npm run build, and commit dist`);
  process.exit(1);
}
