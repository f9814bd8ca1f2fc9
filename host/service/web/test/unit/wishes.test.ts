import { expect, test } from "vitest";
import type { Sample } from "../../src/api/types";
import type { Task } from "../../src/live/tasks";
import { wishes } from "../../src/parts/wishes";

const task: Task = {
  id: "t1", domain: "web1", domainId: "d1", source: "a", destination: "b", phase: "performing", progress: 30, attempt: 1, ended: null,
  createdAt: "2026-03-01T12:00:00.000Z", updatedAt: "2026-03-01T12:00:05.000Z", sample: null, message: null, outcome: null, queued: false,
  place: null, requestedBy: null, cancelRequested: false, mayPostCopy: false, leastThrottle: null, targetUri: null,
};
const cancel = (change: Partial<Task>) => wishes({ ...task, ...change }).find((wish) => wish.label === "Cancel");

test("what cancelling does depends on the phase", () => {
  expect(cancel({ phase: "accepted", queued: true, place: 2 })!.says).toContain("leaves the queue");
  for (const phase of ["accepted", "planned", "preparing", "prepared"]) {
    expect(cancel({ phase })!.says, phase).toBe("No transfer has begun. What was made ready is undone, and the domain stays on a.");
  }
  expect(cancel({ phase: "prepared", source: null })!.says).toContain("stays on its host");
  expect(cancel({})!.says).toContain("abort the transfer");
  for (const phase of ["performing", "finishing", "locating", "recovering"]) {
    expect(cancel({ phase })!.says, phase).toContain("may be too late");
    expect(cancel({ phase })!.barred, phase).toBeUndefined();
  }
  expect(cancel({ phase: "finishing" })!.says).not.toContain("abort");
});

test("it is barred in post-copy and once it was asked for, and gone at the end", () => {
  expect(cancel({ sample: { stage: "post-copy" } as Sample })!.barred).toBe("In post-copy there is no way back.");
  expect(cancel({ cancelRequested: true })!.barred).toBe("It was asked for already.");
  expect(cancel({ ended: "completed", phase: "ended" })).toBeUndefined();
});

test("post-copy is barred where the service would refuse it, with the reason", () => {
  const barred = (change: Partial<Task>) => wishes({ ...task, ...change }).find((wish) => wish.label === "Post-copy")!.barred;
  const at = (stage: string) => ({ stage }) as Sample;
  expect(barred({ mayPostCopy: true, sample: at("pre-copy") })).toBeUndefined();
  expect(barred({ sample: at("pre-copy") })).toBe("Post-copy was not allowed when the migration was asked for.");
  expect(barred({ mayPostCopy: true, sample: at("disks") })).toBeUndefined();
  expect(barred({ sample: at("disks") })).toBe("Post-copy was not allowed when the migration was asked for.");
  expect(barred({ sample: at("post-copy") })).toBe("The guest runs on the destination already.");
  expect(barred({ sample: at("final") })).toBe("The transfer is over.");
  expect(barred({ mayPostCopy: null, sample: at("pre-copy") })).toContain("not known yet");
  expect(barred({ sample: null })).toContain("not known yet");
  expect(barred({ mayPostCopy: true, phase: "prepared" })).toBe("There is no transfer yet.");
});

test("slowing the guest down is barred where the service would refuse it, with the reason, and bounded as it says", () => {
  const slow = (change: Partial<Task>) => wishes({ ...task, ...change }).find((wish) => wish.label === "Slow the guest")!;
  const barred = (change: Partial<Task>) => slow(change).barred;
  const at = (stage: string) => ({ stage }) as Sample;
  const may = slow({ leastThrottle: 30, sample: at("pre-copy") });
  expect([may.barred, may.number!.least, may.number!.most]).toEqual([undefined, 30, 99]);
  expect(barred({ sample: at("pre-copy") })).toContain("Auto-converge was not allowed");
  expect(barred({ sample: at("disks") })).toContain("disks are being copied");
  expect(barred({ sample: at("post-copy") })).toBe("The guest runs on the destination already.");
  expect(barred({ sample: at("final") })).toBe("The transfer is over.");
  expect(barred({ mayPostCopy: null, sample: at("pre-copy") })).toContain("not known yet");
  expect(barred({ leastThrottle: 30, phase: "prepared" })).toBe("There is no transfer yet.");
});
