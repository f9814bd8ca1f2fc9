import { expect, test } from "vitest";
import type { Progress, Sample, TaskBrief, TaskStatus } from "../../src/api/types";
import { entersStage, fromBrief, fromStatus, newestFirst, renewed, standing, surplus, withProgress } from "../../src/live/tasks";

const brief: TaskBrief = {
  id: "t1",
  created_at: "2026-03-01T12:00:00.000Z",
  updated_at: "2026-03-01T12:00:05.000Z",
  domain: "web1",
  domain_id: "d1",
  source: "a",
  destination: "b",
  phase: "performing",
  outcome: null,
  place: null,
  target_uri: null,
  status: "running",
  message: "web1 is moving to b",
  progress: 30,
};

const status: TaskStatus = {
  ...brief,
  attempt: 1,
  requested_by: "anna",
  cancel_requested: false,
  may_post_copy: false,
  least_throttle_percent: null,
  outcome: null,
  sample: null,
  sequence: 4,
};

const sample = { stage: "pre-copy", elapsed_ms: 1000, remaining_bytes: 5 } as Sample;

const progress: Progress = {
  task: "t1",
  domain: "web1",
  source: "a",
  destination: "b",
  phase: "performing",
  attempt: 1,
  progress: 45,
  note: "",
  sample,
};

test("progress goes forward within an attempt, and begins anew with the next", () => {
  const task = withProgress(fromStatus(status), progress);
  expect(task.progress).toBe(45);
  expect(withProgress(task, { ...progress, progress: 40 }).progress).toBe(45);
  const again = withProgress(task, { ...progress, attempt: 2, progress: 1 });
  expect([again.attempt, again.progress]).toEqual([2, 1]);
  expect(withProgress(again, progress)).toBe(again);
});

test("an answer that was under way while progress came does not turn it back", () => {
  const task = withProgress(fromStatus(status), progress);
  const later = fromStatus({ ...status, progress: 31 }, task);
  expect([later.progress, later.sample]).toEqual([45, sample]);
});

test("whether it may be switched to post-copy holds for the stage of which it was said", () => {
  const disks = fromStatus({ ...status, sample: { ...sample, stage: "disks" } });
  expect([disks.mayPostCopy, entersStage(disks, progress)]).toEqual([false, true]);
  const memory = withProgress(disks, progress);
  expect([memory.mayPostCopy, entersStage(memory, progress)]).toEqual([null, false]);
  // An answer that was under way meanwhile is of the disks.
  expect(fromStatus({ ...status, sample: { ...sample, stage: "disks" } }, memory).mayPostCopy).toBe(null);
  const known = fromStatus({ ...status, progress: 46, may_post_copy: true, sample }, memory);
  expect(known.mayPostCopy).toBe(true);
  expect(withProgress(known, { ...progress, progress: 47 }).mayPostCopy).toBe(true);
  expect(fromBrief(brief, known).mayPostCopy).toBe(true);
  const next = { ...progress, attempt: 2 };
  expect([entersStage(known, next), withProgress(known, next).mayPostCopy]).toEqual([true, null]);
  expect(entersStage(known, { ...progress, sample: null })).toBe(false);
  expect(fromBrief(brief).mayPostCopy).toBe(null);
});

test("how far its guest may be slowed down holds for the stage of which it was said", () => {
  const disks = fromStatus({ ...status, sample: { ...sample, stage: "disks" } });
  const memory = withProgress(disks, progress);
  expect([disks.leastThrottle, memory.leastThrottle]).toEqual([null, null]);
  const known = fromStatus({ ...status, progress: 46, least_throttle_percent: 30, sample }, memory);
  expect(known.leastThrottle).toBe(30);
  expect(fromBrief(brief, known).leastThrottle).toBe(30);
  expect(withProgress(known, { ...progress, progress: 47 }).leastThrottle).toBe(30);
  // An answer that was under way meanwhile is of the disks.
  expect(fromStatus({ ...status, sample: { ...sample, stage: "disks" } }, known).leastThrottle).toBe(30);
  expect(withProgress(known, { ...progress, sample: { ...sample, stage: "post-copy" } }).leastThrottle).toBe(null);
});

test("what is over stays over", () => {
  const over = fromStatus({
    ...status,
    phase: "ended",
    progress: 100,
    outcome: { kind: "completed", summary: "web1 is running on b", causes: [], remedy: null },
  });
  expect(withProgress(over, progress)).toBe(over);
  expect(fromBrief({ ...brief, updated_at: "2026-03-01T11:00:00.000Z" }, over).ended).toBe("completed");
  expect(standing(over)).toBe("completed");
});

test("a stuck one that is gone on with is under way again, as its row says", () => {
  const end = (kind: string) => ({ kind, summary: `it is ${kind}`, causes: [], remedy: null });
  const stuck = fromStatus({ ...status, phase: "ended", message: "it is stuck", outcome: end("stuck") });
  const later = { ...brief, updated_at: "2026-03-01T12:00:09.000Z" };
  const on = fromBrief({ ...later, phase: "recovering", message: "web1 is looked for" }, stuck);
  expect([on.ended, on.outcome, on.phase, on.message]).toEqual([null, null, "recovering", "web1 is looked for"]);
  expect(standing(on)).toBe("recovering");
  expect(withProgress(on, progress).progress).toBe(45);
  // A row that was read just before the end says nothing against it.
  expect(fromBrief(brief, stuck).outcome).toEqual(end("stuck"));
  // How it ended at last is not what was known of it before.
  const over = fromBrief({ ...later, phase: "ended", outcome: "completed", message: "web1 is running on b" }, stuck);
  expect([over.ended, over.outcome, over.message]).toEqual(["completed", null, "web1 is running on b"]);
});

test("a row that was read once stands as what is known of it, also when that is forgotten", () => {
  const rows = ["t1", "t2", "t3"].map((id) => fromBrief({ ...brief, id }));
  const over = fromBrief({ ...brief, id: "t1", phase: "ended", outcome: "completed" });
  const once = renewed(rows, new Map([["t1", over]]), new Set());
  expect(once).toEqual([over, rows[1], rows[2]]);
  expect(renewed(once, new Map(), new Set(["t2"]))).toEqual([over, rows[2]]);
  // One that is there again is not gone.
  expect(renewed(once, new Map([["t2", rows[1]!]]), new Set(["t2"]))).toEqual(once);
});

test("a cancelled one that is at less than before tells the truth", () => {
  const task = withProgress(fromStatus(status), progress);
  const over = fromStatus(
    { ...status, phase: "ended", progress: 44, outcome: { kind: "cancelled", summary: "", causes: [], remedy: null } },
    task,
  );
  expect(over.progress).toBe(44);
});

test("a row keeps what only the single answer tells", () => {
  const known = fromStatus(status);
  const row = fromBrief({ ...brief, updated_at: "2026-03-01T12:00:09.000Z", progress: 50 }, known);
  expect([row.progress, row.message, row.requestedBy]).toEqual([50, "web1 is moving to b", "anna"]);
  expect(fromBrief({ ...brief, updated_at: "2026-03-01T12:00:01.000Z", progress: 10 }, known).progress).toBe(30);
});

test("who waits keeps the place that the list tells, and gives it up when it begins or ends", () => {
  const queued = fromStatus({ ...status, status: "queued", phase: "accepted", message: "waiting for a slot: 3rd" });
  expect([queued.queued, queued.place]).toEqual([true, null]);
  const placed = fromBrief({ ...brief, phase: "accepted", place: 3, message: "it waits" }, queued);
  expect([placed.queued, placed.place, placed.message]).toEqual([true, 3, "waiting for a slot: 3rd"]);
  expect(fromStatus({ ...status, status: "queued", phase: "accepted" }, placed).place).toBe(3);
  const begun = fromBrief(brief, placed);
  expect([begun.queued, begun.place, begun.message]).toEqual([false, null, "web1 is moving to b"]);
  expect(fromStatus(status, placed).place).toBe(null);
  expect(withProgress(placed, progress).place).toBe(null);
  const ended = fromBrief({ ...brief, outcome: "cancelled", phase: "ended" }, placed);
  expect([ended.queued, ended.place]).toEqual([false, null]);
});

test("each state has its word", () => {
  const of = (change: Partial<TaskStatus>) => standing(fromStatus({ ...status, ...change }));
  expect(of({})).toBe("moving");
  expect(of({ sample: { ...sample, stage: "post-copy" } })).toBe("post-copy");
  expect(of({ status: "queued", phase: "accepted" })).toBe("queued");
  expect(of({ phase: "planned" })).toBe("preparing");
  expect(of({ phase: "locating" })).toBe("recovering");
  expect(of({ cancel_requested: true })).toBe("cancelling");
  expect(of({ phase: "ended", outcome: { kind: "stuck", summary: "", causes: [], remedy: null } })).toBe("stuck");
});

test("only what is over, and of that the oldest, is forgotten", () => {
  const end = { kind: "completed", summary: "", causes: [], remedy: null };
  const at = (minute: number, over: boolean) =>
    fromStatus({ ...status, id: `t${minute}`, created_at: `2026-03-01T12:0${minute}:00.000Z`, outcome: over ? end : null });
  const tasks = [at(0, false), at(1, true), at(2, true), at(3, true)];
  expect(surplus(tasks, 2)).toEqual(["t1"]);
  expect(surplus(tasks, 3)).toEqual([]);
});

test("the newest comes first", () => {
  const old = fromBrief({ ...brief, id: "t0", created_at: "2026-03-01T11:00:00.000Z" });
  expect([old, fromBrief(brief)].sort(newestFirst).map((task) => task.id)).toEqual(["t1", "t0"]);
});
