// What may be done about policies, and how two versions of their settings differ: values in, values out.

import type { Problem } from "../api/client";
import type { Whoami } from "../api/types";
import { may, mayEverywhere } from "./who";

/** Whether the viewer may change policies, and if not, why. */
export function mayChange(who: Whoami | null): { may: boolean; why: string } {
  if (!who) return { may: false, why: "" };
  if (!may(who, "change-policies")) {
    return { may: false, why: `Your role here is ${who.role}, which looks at policies and changes none.` };
  }
  if (!mayEverywhere(who, "change-policies")) {
    return { may: false, why: "You may change policies for some hosts or domains only, and they judge all of them." };
  }
  return { may: true, why: "" };
}

/** What is said of a change that came to a problem: what was refused was not made, and of the rest nobody knows. The subject comes
 *  with its verb: `the policy was`. */
export function fate({ unsettled }: Pick<Problem, "unsettled">, subject: string, done: string): string {
  return unsettled ? `It is not known whether ${subject} ${done}` : `${subject[0]!.toUpperCase()}${subject.slice(1)} not ${done}`;
}

export type Settings = Record<string, unknown>;

/** One setting that differs; what is not there is undefined. */
export interface Difference {
  key: string;
  before: unknown;
  after: unknown;
}

/** What differs between two versions of settings, by key; tables are looked into. */
export function differences(before: Settings, after: Settings, path = ""): Difference[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => {
    const [was, is] = [before[key], after[key]];
    if (isTable(was) && isTable(is)) return differences(was, is, `${path}${key}.`);
    return same(was, is) ? [] : [{ key: `${path}${key}`, before: was, after: is }];
  });
}

/** A value as a person reads it. */
export function shown(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

/** Settings as they are written in the field. */
export function written(settings: Settings): string {
  return JSON.stringify(settings, null, 2);
}

/** What stands in the field: settings, or why it is none. */
export function read(text: string): { settings: Settings } | { wrong: string } {
  try {
    const value: unknown = JSON.parse(text.trim() || "{}");
    return isTable(value) ? { settings: value } : { wrong: "Settings are an object: { … }" };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) };
  }
}

/** The name that a file suggests. */
export function nameOf(file: string): string {
  const bare = file.replace(/\.wasm$/i, "").replace(/[^A-Za-z0-9_-]+/g, "-");
  return bare.replace(/^[^A-Za-z0-9]+/, "").replace(/-+$/, "").slice(0, 64);
}

/** Why that can't be a policy's name; nothing where it can. */
export function badName(name: string): string {
  if (name === "waypost") return "This name is the program’s own.";
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)
    ? ""
    : "A name has 1 to 64 letters, digits, - and _, and begins with a letter or a digit.";
}

/** Why that is not worth sending; nothing where it may be. */
export function badFile(begins: Uint8Array): string {
  const wasm = [0x00, 0x61, 0x73, 0x6d];
  if (wasm.every((byte, at) => begins[at] === byte)) return "";
  const packed = begins[0] === 0x50 && begins[1] === 0x4b ? "zip" : begins[0] === 0x1f && begins[1] === 0x8b ? "gzip" : "";
  return packed ? `This file is packed (${packed}). Unpack it, and take the .wasm.` : "This file is no WebAssembly.";
}

function isTable(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(ordered(one)) === JSON.stringify(ordered(other));
}

/** The order of keys says nothing. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, ordered(value[key])]),
  );
}
