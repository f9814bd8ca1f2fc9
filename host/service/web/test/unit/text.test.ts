import { expect, test } from "vitest";
import type { Finding, Verdict } from "../../src/api/types";
import { shown, summary } from "../../src/parts/findings";
import { bytes, duration, percent, rate } from "../../src/text/format";
import { placeSays, standingMark } from "../../src/text/words";

test("figures keep three digits and their unit", () => {
  expect(bytes(0)).toBe("0 B");
  expect(bytes(1023)).toBe("1023 B");
  expect(bytes(1536)).toBe("1.50 KiB");
  expect(bytes(1024 * 1024 - 1)).toBe("1.00 MiB");
  expect(bytes(120 * 1024 ** 3)).toBe("120 GiB");
  expect(rate(118 * 1024 ** 2)).toBe("118 MiB/s");
});

test("a place is told with how many wait, where that is known", () => {
  expect([placeSays(3, 7), placeSays(3, null), placeSays(null, 7)]).toEqual(["place 3 of 7", "place 3", ""]);
  // Of two lists that were read one after the other.
  expect(placeSays(3, 2)).toBe("place 3 of 3");
});

test("durations are readable at every length", () => {
  expect(duration(38)).toBe("38 ms");
  expect(duration(2_340)).toBe("2.3 s");
  expect(duration(42_000)).toBe("42 s");
  expect(duration(125_000)).toBe("2 min 05 s");
  expect(duration(2 * 3_600_000 + 61_000)).toBe("2 h 01 min");
  expect(duration(3 * 86_400_000)).toBe("3 d 0 h");
});

test("what is not over is not 100 %", () => {
  expect(percent(99.9)).toBe("99 %");
  expect(percent(100)).toBe("100 %");
});

test("a word that is not known is shown as it is", () => {
  expect(standingMark("teleported").label).toBe("teleported");
});

const finding = (weight: string, mode = "enforce"): Finding => ({
  code: "c",
  severity: weight,
  weight,
  message: weight,
  evidence: [],
  remedy: null,
  plugin: "p",
  mode,
});

test("a verdict says its weightiest, and policies in shadow mode say nothing", () => {
  const verdict = (decision: string, ...findings: Finding[]): Verdict => ({ destination: "b", decision, findings });
  const mixed = verdict("refused", finding("info"), finding("warning"), finding("blocker"), finding("blocker", "shadow"));
  expect(shown(mixed).map((one) => one.weight)).toEqual(["blocker", "warning", "info"]);
  expect(summary(mixed)).toMatchObject({ word: "Refused", why: "1 blocker", refused: true });
  expect(summary(verdict("allowed", finding("warning"), finding("warning")))).toMatchObject({ tone: "warn", why: "2 warnings" });
  expect(summary(verdict("allowed"))).toMatchObject({ tone: "good", why: "", refused: false });
  expect(summary({ ...verdict("allowed"), plan_error: "no URI" })).toMatchObject({ refused: true, why: "no plan can be made" });
});
