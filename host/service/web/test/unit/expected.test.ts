import { expect, test } from "vitest";
import type { Plan } from "../../src/api/types";
import { expected } from "../../src/parts/expected";

const prediction = { dirty_bytes_per_s: 40 << 20, bandwidth_bytes_per_s: 100 << 20, converges: true, total_ms: 3000, downtime_ms: 120 };

test("what is foretold says where its bandwidth is from", () => {
  expect(expected({ plan: null, prediction }).says).toBe("about 3.0 s, of which the guest stands still for 120 ms.");
  expect(expected({ plan: null, prediction }).from).toMatch(/100 MiB\/s\.$/);
  expect(expected({ plan: null, prediction: { ...prediction, bandwidth_from: "network" } }).from).toContain("100 MiB/s, as the network is declared.");
  expect(expected({ plan: null, prediction: { ...prediction, bandwidth_from: "something-new" } }).from).toMatch(/100 MiB\/s\.$/);
  const withDisks = expected({ plan: null, prediction: { ...prediction, total_ms: null } });
  expect([withDisks.endless, withDisks.says]).toEqual([
    undefined,
    "how long its disks take is not known; the guest stands still for 120 ms.",
  ]);
  const endless = expected({ plan: null, prediction: { ...prediction, converges: false, total_ms: null, downtime_ms: null } });
  expect([endless.endless, endless.says]).toEqual([true, expect.stringContaining("does not come to an end by itself")]);
});

test("without a bandwidth it says what would be enough", () => {
  const writing = { dirty_bytes_per_s: 40 << 20, converges_above_bytes_per_s: 55 << 20 };
  expect(expected({ plan: null, prediction: null, writing }).says).toBe("not known: no bandwidth is known; it converges above 55.0 MiB/s.");
  const idle = { ...writing, converges_above_bytes_per_s: 0 };
  expect(expected({ plan: null, prediction: null, writing: idle }).says).toBe(
    "it converges over any network. How long it takes is not known: no bandwidth is known.",
  );
  expect(expected({ plan: null, prediction: null, writing: null }).says).toBe("not known: the guest was not measured.");
  expect(expected({ plan: null, prediction: null }).says).toBe("not known: the guest was not measured.");
});

test("of a guest that stands still no writing is said to be measured", () => {
  const plan = { stream: { stands_still: true } } as unknown as Plan;
  const still = { ...prediction, dirty_bytes_per_s: 0, downtime_ms: 3000 };
  expect(expected({ plan, prediction: still }).from).toBe(
    "The guest stands still meanwhile and writes nothing; the way is reckoned with 100 MiB/s.",
  );
  const writing = { dirty_bytes_per_s: 0, converges_above_bytes_per_s: 0 };
  expect(expected({ plan, prediction: null, writing })).toEqual({
    says: "it converges over any network. How long it takes is not known: no bandwidth is known.",
    from: "The guest stands still meanwhile and writes nothing.",
  });
  const live = { stream: { stands_still: false } } as unknown as Plan;
  expect(expected({ plan: live, prediction: null, writing }).from).toMatch(/^The guest was measured to dirty 0/);
});
