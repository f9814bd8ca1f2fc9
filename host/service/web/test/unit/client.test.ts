import { expect, test } from "vitest";
import { Problem } from "../../src/api/client";

test("what was refused was not done, and of the rest nobody knows", () => {
  const unsettled = (status: number, code: string) => new Problem(code, status, "").unsettled;
  for (const [status, code] of [
    [0, "no-answer"],
    [500, "defect"],
    [502, "http-502"],
    [503, "store-failed"],
    [503, "http-503"],
    [504, "too-slow"],
    [504, "http-504"],
  ] as const) {
    expect(unsettled(status, code), code).toBe(true);
  }
  for (const [status, code] of [
    [403, "out-of-scope"],
    [409, "domain-busy"],
    [429, "too-often"],
    [503, "busy"],
    [503, "draining"],
  ] as const) {
    expect(unsettled(status, code), code).toBe(false);
  }
});
