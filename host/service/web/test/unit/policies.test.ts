import { expect, test } from "vitest";
import { Problem } from "../../src/api/client";
import { badFile, badName, differences, fate, mayChange, nameOf, read, shown } from "../../src/live/policies";

const who = (role: string, permissions: string[], more = {}) => {
  const grants = [{ role, permissions, hosts: [], domains: [], ...more }];
  return { name: "x", role, permissions, grants, session: false };
};

test("who may change policies is told apart from who may not, and why", () => {
  expect(mayChange(null)).toEqual({ may: false, why: "" });
  expect(mayChange(who("viewer", ["look"]))).toMatchObject({ may: false, why: expect.stringContaining("viewer") });
  expect(mayChange(who("policy-admin", ["look", "change-policies"]))).toEqual({ may: true, why: "" });
  const scoped = who("policy-admin", ["look", "change-policies"], { domains: ["web-*"] });
  expect(mayChange(scoped)).toMatchObject({ may: false, why: expect.stringContaining("judge all") });
  // That the viewer reaches everything with another role does not help.
  scoped.grants.push({ role: "viewer", permissions: ["look"], hosts: [], domains: [] });
  expect(mayChange(scoped)).toMatchObject({ may: false });
});

test("of a change without an answer that says so it is not said that it was not made", () => {
  const refused = new Problem("settings-refused", 422, "");
  for (const unsettled of [new Problem("no-answer", 0, ""), new Problem("http-504", 504, ""), new Problem("store-failed", 503, "")]) {
    expect(fate(unsettled, "the policy was", "put down")).toBe("It is not known whether the policy was put down");
    expect(fate(unsettled, "it was", "switched off")).toBe("It is not known whether it was switched off");
  }
  for (const refusal of [refused, new Problem("busy", 503, ""), new Problem("draining", 503, "")]) {
    expect(fate(refusal, "the policy was", "put down")).toBe("The policy was not put down");
    expect(fate(refusal, "the settings were", "saved")).toBe("The settings were not saved");
  }
});

test("what differs is told by key, whatever the order, tables looked into", () => {
  expect(differences({ a: 1, b: { c: 1, d: [1, 2] } }, { b: { d: [1, 2], c: 1 }, a: 1 })).toEqual([]);
  expect(differences({ a: 1, b: { c: 1 }, e: 5 }, { a: 2, b: { c: 1, d: true } })).toEqual([
    { key: "a", before: 1, after: 2 },
    { key: "b.d", before: undefined, after: true },
    { key: "e", before: 5, after: undefined },
  ]);
  expect(differences({ a: { b: 1 } }, { a: 1 })).toEqual([{ key: "a", before: { b: 1 }, after: 1 }]);
  expect(differences({ a: [1, 2] }, { a: [2, 1] })).toHaveLength(1);
  expect([shown(undefined), shown("x"), shown([1])]).toEqual(["nothing", '"x"', "[1]"]);
});

test("what stands in the field is settings, or it is said why not", () => {
  expect(read(' {"a": 1} ')).toEqual({ settings: { a: 1 } });
  expect(read("")).toEqual({ settings: {} });
  for (const text of ["[1]", "1", "null", '"x"']) expect(read(text)).toEqual({ wrong: expect.stringContaining("object") });
  expect(read('{"a": }')).toHaveProperty("wrong");
});

test("a file suggests a name that may be one", () => {
  for (const [file, name] of [
    ["licence.wasm", "licence"],
    ["My Rule (2).WASM", "My-Rule-2"],
    ["../../x.wasm", "x"],
    [".hidden.wasm", "hidden"],
  ] as const) {
    expect(nameOf(file)).toBe(name);
    expect(badName(name)).toBe("");
  }
  expect(nameOf(`${"x".repeat(100)}.wasm`)).toHaveLength(64);
  for (const name of ["", "..", "a/b", "a.b", "-a", "ä", "waypost", "x".repeat(65)]) expect(badName(name)).not.toBe("");
});

test("a file that is no WebAssembly is not sent", () => {
  const bytes = (...list: number[]) => new Uint8Array(list);
  expect(badFile(bytes(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))).toBe("");
  expect(badFile(bytes(0x50, 0x4b, 3, 4))).toContain("zip");
  expect(badFile(bytes(0x1f, 0x8b, 8))).toContain("gzip");
  expect(badFile(bytes())).toContain("no WebAssembly");
});
