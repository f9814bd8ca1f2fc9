import { expect, test } from "vitest";
import type { Sample } from "../../src/api/types";
import { expectedDowntime, Series } from "../../src/live/series";

const at = (elapsed_ms: number, stage = "pre-copy"): Sample => ({
  stage,
  elapsed_ms,
  total_bytes: 100,
  processed_bytes: 1,
  remaining_bytes: 99,
  bytes_per_s: 5,
  dirty_bytes_per_s: null,
  iteration: 1,
  downtime_ms: null,
  remaining_ms: null,
  throttle_percent: null,
});

test("a reading that is known already, and the final one, are no points", () => {
  const series = new Series(1);
  expect(series.add(at(500))).toBe(true);
  expect(series.add(at(500))).toBe(false);
  expect(series.add(at(400))).toBe(false);
  expect(series.add(at(900, "final"))).toBe(false);
  expect(series.add({ ...at(900), total_bytes: 0, remaining_bytes: 0 }), "nothing is known yet").toBe(false);
  expect(series.at).toEqual([0.5]);
});

test("there is a downtime to expect only while memory is sent ahead", () => {
  const sample = { ...at(500), downtime_ms: 80 };
  expect(expectedDowntime(sample)).toBe(80);
  expect(expectedDowntime({ ...sample, bytes_per_s: 0 })).toBe(null);
  expect(expectedDowntime({ ...sample, stage: "post-copy" })).toBe(null);
});

test("a long migration stays whole and bounded", () => {
  const series = new Series(1);
  for (let second = 1; second <= 20_000; second += 1) series.add(at(second * 1000));
  expect(series.length).toBeLessThanOrEqual(1200);
  expect(series.at[0]).toBe(1);
  expect(series.at.at(-1)).toBe(20_000);
  expect(series.at.every((value, index) => index === 0 || value > series.at[index - 1]!)).toBe(true);
  expect(series.remaining.length).toBe(series.length);
});

test("what the service kept stands before what was watched, and where nobody watched", () => {
  const watched = new Series(1);
  for (const second of [7, 8]) watched.add(at(second * 1000));
  const whole = watched.with([at(1000), at(4000), at(7000)]);
  expect(whole.at).toEqual([1, 4, 7, 8]);
  expect(whole.remaining).toEqual([99, 99, 99, 99]);
  expect(watched.with([]).at).toEqual([7, 8]);
  expect(new Series(1).with([at(1000), at(2000, "final")]).at).toEqual([1]);
  // The connection was lost from 8 s to 20 s. The service keeps every fourth.
  watched.add({ ...at(20_000), remaining_bytes: 3 });
  const mended = watched.with([at(4000), at(8000), at(12_000), at(16_000), at(20_000), at(24_000)]);
  expect(mended.at).toEqual([4, 7, 8, 12, 16, 20, 24]);
  expect(mended.remaining).toEqual([99, 99, 99, 99, 99, 3, 99]);
  expect(mended.rate).toHaveLength(7);
});

test("what is put together is bounded too", () => {
  const watched = new Series(1);
  for (let second = 1; second <= 1200; second += 1) watched.add(at(second * 1000));
  const whole = watched.with(Array.from({ length: 257 }, (_, index) => at(index * 4000 + 500)));
  expect(whole.length).toBeLessThanOrEqual(1200);
  expect([whole.at[0], whole.at.at(-1)]).toEqual([0.5, 1200]);
  expect(whole.downtime).toHaveLength(whole.length);
});
