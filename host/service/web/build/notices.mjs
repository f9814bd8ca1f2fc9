// The licences of what the bundle holds: named in its first line, in full in `third-party.txt` beside it.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const modules = new URL("../node_modules/", import.meta.url).pathname;

/** The package that a module of the bundle is of; null for our own. */
function packageOf(id) {
  const at = id.lastIndexOf("/node_modules/");
  if (at < 0) return null;
  const parts = id.slice(at + "/node_modules/".length).split("/");
  return parts[0].startsWith("@") ? `${parts[0]}/${parts[1]}` : parts[0];
}

export function notices() {
  return {
    name: "notices",
    enforce: "post",
    generateBundle(_options, bundle) {
      const ids = Object.values(bundle).flatMap((file) => (file.type === "chunk" ? Object.keys(file.modules) : []));
      const names = [...new Set(ids.map(packageOf).filter(Boolean))].sort();
      const texts = names.map((name) => {
        const { version, license } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
        const file = join(modules, name, "LICENSE");
        if (!existsSync(file)) throw new Error(`${name} has no file LICENSE`);
        return { title: `${name} ${version}, ${license}`, text: readFileSync(file, "utf8").trim() };
      });
      const line = texts.map((one) => one.title).join("; ");
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") file.code = `/* Waypost. Holds ${line}: see third-party.txt. */\n${file.code}`;
      }
      const source = texts.map((one) => `${one.title}\n\n${one.text}\n`).join(`\n${"-".repeat(80)}\n\n`);
      this.emitFile({ type: "asset", fileName: "third-party.txt", source });
    },
  };
}
