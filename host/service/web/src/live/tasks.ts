// What is known of a task, put together from lists, single answers and events. Pure: no clock, no requests.

import type { Outcome, Progress, Sample, TaskBrief, TaskStatus } from "../api/types";

/** A task as the pages show it. */
export interface Task {
  id: string;
  domain: string;
  domainId: string | null;
  source: string | null;
  destination: string;
  phase: string;
  /** Percent. */
  progress: number;
  attempt: number;
  /** How it ended: a word. */
  ended: string | null;
  createdAt: string;
  updatedAt: string;
  sample: Sample | null;
  /** What only the single answer and events tell; null until then. */
  message: string | null;
  outcome: Outcome | null;
  queued: boolean;
  /** In the queue, from 1; null where it does not wait, or is not known yet. */
  place: number | null;
  requestedBy: string | null;
  cancelRequested: boolean;
  /** Whether it may be switched to post-copy at the stage of its last reading; null until the single answer tells. */
  mayPostCopy: boolean | null;
  /** The least by which its guest may be slowed down by order at that stage, percent; null where it may not, or is not known. */
  leastThrottle: number | null;
  targetUri: string | null;
}

/** A row of a list. What is known beyond it is kept. */
export function fromBrief(brief: TaskBrief, known?: Task): Task {
  const newer = !known || brief.updated_at >= known.updatedAt;
  // One that got stuck may have been gone on with. Of the same moment is also the row that was read just before the end.
  const goneOn = !known || brief.updated_at > known.updatedAt;
  const ended = brief.outcome ?? (goneOn ? null : known.ended);
  const phase = ended ? "ended" : newer ? brief.phase : known.phase;
  return {
    id: brief.id,
    domain: brief.domain,
    domainId: brief.domain_id,
    source: brief.source ?? known?.source ?? null,
    destination: brief.destination,
    phase,
    // The row has no attempt, so within one it can't be told whether a smaller figure is older or of a later attempt.
    progress: newer || !known ? brief.progress : known.progress,
    attempt: known?.attempt ?? 1,
    ended,
    createdAt: brief.created_at,
    updatedAt: newer ? brief.updated_at : known.updatedAt,
    sample: known?.sample ?? null,
    // A row says less of what is going on.
    message: known?.phase === phase && known.ended === ended ? (known.message ?? brief.message) : brief.message,
    outcome: known?.ended === ended ? known.outcome : null,
    queued: !ended && (newer ? brief.place !== null : known.queued),
    place: ended ? null : newer ? brief.place : known.place,
    requestedBy: known?.requestedBy ?? null,
    cancelRequested: known?.cancelRequested ?? false,
    mayPostCopy: known?.mayPostCopy ?? null,
    leastThrottle: known?.leastThrottle ?? null,
    targetUri: newer || !known ? brief.target_uri : known.targetUri,
  };
}

/** The single answer: everything, except that progress which came meanwhile is newer. */
export function fromStatus(status: TaskStatus, known?: Task): Task {
  const same = known && known.attempt === status.attempt && !status.outcome;
  const ahead = same && known.progress > status.progress;
  // Of another stage than that which is shown it does not say what may be asked of the transfer.
  const elsewhere = ahead && stage(known) !== (status.sample?.stage ?? null);
  return {
    id: status.id,
    domain: status.domain,
    domainId: status.domain_id,
    source: status.source,
    destination: status.destination,
    phase: status.phase,
    progress: ahead ? known.progress : status.progress,
    attempt: status.attempt,
    ended: status.outcome?.kind ?? null,
    createdAt: status.created_at,
    updatedAt: status.updated_at,
    sample: ahead ? known.sample : (status.sample ?? known?.sample ?? null),
    message: status.message,
    outcome: status.outcome,
    queued: status.status === "queued",
    place: status.status === "queued" ? (known?.place ?? null) : null,
    requestedBy: status.requested_by,
    cancelRequested: status.cancel_requested,
    mayPostCopy: elsewhere ? known.mayPostCopy : status.may_post_copy,
    leastThrottle: elsewhere ? known.leastThrottle : status.least_throttle_percent,
    targetUri: status.target_uri,
  };
}

/** A reading of a running transfer. One that comes after the end, or of an attempt that is over, says nothing. */
export function withProgress(task: Task, progress: Progress): Task {
  if (task.ended || progress.attempt < task.attempt) return task;
  const same = progress.attempt === task.attempt;
  const enters = entersStage(task, progress);
  return {
    ...task,
    source: progress.source ?? task.source,
    phase: progress.phase,
    attempt: progress.attempt,
    progress: same ? Math.max(task.progress, progress.progress) : progress.progress,
    sample: progress.sample ?? task.sample,
    mayPostCopy: enters ? null : task.mayPostCopy,
    leastThrottle: enters ? null : task.leastThrottle,
    message: progress.note || task.message,
    queued: false,
    place: null,
  };
}

/** Whether a reading is of another stage than the last one: what may be asked of the transfer is another thing then. */
export function entersStage(task: Task, progress: Progress): boolean {
  if (task.ended || progress.attempt < task.attempt || !progress.sample) return false;
  return progress.attempt > task.attempt || progress.sample.stage !== stage(task);
}

const stage = (task: Task) => task.sample?.stage ?? null;

/** The word for how a task stands: how it ended, or what it is about. */
export function standing(task: Task): string {
  if (task.ended) return task.ended;
  if (task.queued) return "queued";
  if (task.cancelRequested) return "cancelling";
  switch (task.phase) {
    case "performing":
      return task.sample?.stage === "post-copy" ? "post-copy" : "moving";
    case "locating":
    case "recovering":
      return "recovering";
    default:
      return task.phase === "finishing" ? "finishing" : "preparing";
  }
}

/** The ids of the oldest tasks that are over, as far as there are more than `most` of those: a page may stay open for weeks. */
export function surplus(tasks: Iterable<Task>, most: number): string[] {
  const over = [...tasks].filter((task) => task.ended).sort(newestFirst);
  return over.slice(most).map((task) => task.id);
}

/** Rows that were read once, as they stand now: what is known by now goes before what was read, and what is gone is dropped. */
export function renewed(rows: Task[], known: ReadonlyMap<string, Task>, gone: ReadonlySet<string>): Task[] {
  return rows.flatMap((row) => known.get(row.id) ?? (gone.has(row.id) ? [] : row));
}

/** Newest first, as the service lists them. */
export function newestFirst(a: Task, b: Task): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}
