import { expect, test } from "vitest";
import { commands, may, seesAll, standingOf } from "../../src/live/who";

const anna = { name: "anna", role: "operator", permissions: ["look", "move"], hosts: [], domains: [], session: true };
const way = (source: string | null, destination: string) => ({ source, destination });

test("nobody may do anything, and each what the role permits", () => {
  expect([may(null, "look"), may(anna, "move"), may(anna, "audit")]).toEqual([false, true, false]);
  expect(commands(null, way("a", "b"))).toBe(false);
  expect(commands({ ...anna, permissions: ["look"] }, way("a", "b"))).toBe(false);
});

test("a task is changed by who reaches both of its hosts", () => {
  expect(commands(anna, way(null, "b"))).toBe(true);
  const some = { ...anna, hosts: ["a", "b"] };
  const ways = [way("a", "b"), way("a", "c"), way("c", "a"), way(null, "b")];
  expect(ways.map((one) => commands(some, one))).toEqual([true, false, false, false]);
});

test("who is limited does not see all, and is told the limits", () => {
  const some = { ...anna, hosts: ["a"], domains: ["web*"] };
  expect([seesAll(null), seesAll(anna), seesAll({ ...some, hosts: [] }), seesAll({ ...some, domains: [] })]).toEqual([false, true, false, false]);
  expect([standingOf(anna), standingOf(some)]).toEqual(["operator", "operator · hosts a · domains web*"]);
});
