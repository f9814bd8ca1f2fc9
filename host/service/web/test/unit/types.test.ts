// The documents are the service's: what is declared here of one has to be in its OpenAPI description.

import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const described = process.env["OPENAPI"] ?? new URL("../../../../../docs/openapi.json", import.meta.url).pathname;
const source = readFileSync(new URL("../../src/api/types.ts", import.meta.url), "utf8");
const client = readFileSync(new URL("../../src/api/client.ts", import.meta.url), "utf8");
/** Two names differ: what the service calls a task is its record. */
const NAMES: Record<string, string> = { TaskRecords: "Task" };

interface Schema {
  properties?: Record<string, unknown>;
}

test.skipIf(!existsSync(described))("every field that is read, and every route that is asked, exists", () => {
  const { components, paths } = JSON.parse(readFileSync(described, "utf8")) as {
    components: { schemas: Record<string, Schema> };
    paths: Record<string, unknown>;
  };
  const interfaces = [...source.matchAll(/export interface (\w+) \{\n(.*?)\n\}/gs)];
  expect(interfaces.length).toBeGreaterThan(20);
  for (const [, name, body] of interfaces) {
    const schema = components.schemas[NAMES[name!] ?? name!];
    expect(schema?.properties, name).toBeDefined();
    for (const [, field] of body!.matchAll(/^ {2}(\w+)\??:/gm)) expect(Object.keys(schema!.properties!), name).toContain(field);
  }
  // Whatever stands in the place of a name.
  const bare = (path: string) => path.replace(/\$?\{[^}]*\}/g, "{}");
  const asked = [...client.matchAll(/this\.(?:get|post|send|tagged)(?:<.*>)?\(\s*[`"]([^`"?]+)/g)].map(([, path]) =>
    bare(path!.replace(/\$\{query\}$/, "").replace(/\$\{on $/, "enable")),
  );
  expect(asked.length).toBeGreaterThan(16);
  const known = Object.keys(paths).map(bare);
  for (const path of asked) expect(known).toContain(`/api/v1/${path}`);
});
