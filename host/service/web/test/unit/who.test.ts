import { expect, test } from "vitest";
import { commands, may, mayEverywhere, seesAll, standingOf } from "../../src/live/who";

const UUID = "01a20183-a2fd-76db-ba91-0ea4140f0d9f";
const grant = (role: string, permissions: string[], hosts: string[] = [], domains: string[] = []) => ({ role, permissions, hosts, domains });
const known = (...grants: ReturnType<typeof grant>[]) => ({
  name: "anna",
  role: grants[0]!.role,
  permissions: [...new Set(grants.flatMap((one) => one.permissions))],
  grants,
  session: true,
});
const operator = (hosts: string[] = [], domains: string[] = []) => grant("operator", ["look", "move"], hosts, domains);
const viewer = grant("viewer", ["look"]);
const anna = known(operator());
const way = (source: string | null, destination: string, domain = "web1") => ({ source, destination, domain, domainId: UUID });

test("nobody may do anything, and each what the role permits", () => {
  expect([may(null, "look"), may(anna, "move"), may(anna, "audit")]).toEqual([false, true, false]);
  expect(commands(null, way("a", "b"))).toBe(false);
  expect(commands(known(viewer), way("a", "b"))).toBe(false);
});

test("a task is changed by who reaches both of its hosts", () => {
  expect(commands(anna, way(null, "b"))).toBe(true);
  const some = known(operator(["a", "b"]));
  const ways = [way("a", "b"), way("a", "c"), way("c", "a"), way(null, "b")];
  expect(ways.map((one) => commands(some, one))).toEqual([true, false, false, false]);
});

test("a role is kept to what it reaches, whatever another one does", () => {
  const web = known(operator([], ["web*"]), viewer);
  expect([may(web, "move"), seesAll(web), mayEverywhere(web, "move")]).toEqual([true, true, false]);
  expect(["web1", "db1", "a.web1"].map((domain) => commands(web, way("a", "b", domain)))).toEqual([true, false, false]);
  const crossed = known(operator(["a", "b"], ["web?"]), operator(["b", "c"], ["db.1"]));
  const ways = [way("a", "b"), way("b", "c"), way("b", "c", "db.1"), way("b", "c", "db-1"), way("a", "b", "web12")];
  expect(ways.map((one) => commands(crossed, one))).toEqual([true, false, true, false, false]);
  for (const written of [UUID, `{${UUID.toUpperCase()}}`, `urn:uuid:${UUID}`, "*"]) {
    expect(commands(known(operator([], [written])), way("a", "b", "db1")), written).toBe(true);
  }
});

test("who is limited does not see all, and is told the limits", () => {
  const limited = [known(operator([], ["web*"])), known(operator(["a"])), known(operator(["a"]), operator([], ["web*"]))];
  expect([null, anna, ...limited].map(seesAll)).toEqual([false, true, false, false, false]);
  expect(standingOf(anna)).toBe("operator");
  expect(standingOf(known(operator(["a"], ["web*"]), viewer))).toBe("operator · hosts a · domains web*, and viewer");
});
