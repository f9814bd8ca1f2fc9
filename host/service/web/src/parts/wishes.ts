// What a person may want of a task, as it stands. What is not possible now is shown with the reason where it will be or could
// have been possible, and left out where it has no meaning. The service has the last word.

import type { Client } from "../api/client";
import type { Task } from "../live/tasks";
import { action } from "../text/words";

export interface Wish {
  label: string;
  icon: string;
  says: string;
  /** What it risks. */
  warns?: string;
  grave?: boolean;
  /** Why not now. */
  barred?: string;
  /** The button that does nothing. */
  leave?: string;
  number?: { label: string; least?: number; most: number };
  /** One of these; the first unless another is chosen. */
  choice?: { label: string; of: { value: string; label: string }[] };
  /** Answers a new task's id, where one was made. */
  run(client: Client, id: string, given: Given): Promise<string | null>;
}

/** What was entered: a number for whoever asked for one, one of the choices for whoever gave some, and why it is wanted. */
export interface Given {
  number: number;
  choice: string;
  why: string;
}

const done = (asked: Promise<unknown>) => asked.then(() => null);

const cancel = (task: Task): Wish => ({
  label: "Cancel",
  icon: "stop",
  grave: true,
  leave: "Go on",
  says: cancelling(task),
  run: (client, id, { why }) => done(client.cancel(id, why)),
});

/** What cancelling does now. */
function cancelling(task: Task): string {
  const source = task.source ?? "its host";
  if (task.queued) return `It leaves the queue. Nothing was touched yet, and the domain stays on ${source}.`;
  switch (task.phase) {
    case "performing":
      return "libvirt is asked to abort the transfer, then both hosts are looked at. It may be too late; the outcome says where the domain is.";
    case "finishing":
      return "The transfer is over, so it may be too late. The outcome says where the domain is.";
    case "locating":
    case "recovering":
      return "It is being found out where the domain is, so it may be too late. The outcome says it.";
    default:
      return `No transfer has begun. What was made ready is undone, and the domain stays on ${source}.`;
  }
}

const downtime: Wish = {
  label: "More downtime",
  icon: "clock",
  says: "The guest may stand still for so long at the switch-over. A longer time lets a busy guest arrive.",
  number: { label: "Downtime, ms", most: 2_000_000 },
  run: (client, id, { number, why }) => done(client.steer(id, { max_downtime_ms: number }, why)),
};

const bandwidth: Wish = {
  label: "Bandwidth",
  icon: "gauge",
  says: "The transfer takes at most so much from now on.",
  number: { label: "Bandwidth, MiB/s", most: 4_294_967_295 },
  run: (client, id, { number, why }) => done(client.steer(id, { bandwidth_mib_s: number }, why)),
};

const throttle = (task: Task): Wish => ({
  label: "Slow the guest",
  icon: "down",
  says: "From QEMU’s next step on the guest’s processors are slowed down so far and no further, so that it writes less. libvirt notes on the domain that QEMU’s monitor was used.",
  number: { label: "Slowed down by at most, %", least: task.leastThrottle ?? 20, most: 99 },
  run: (client, id, { number, why }) => done(client.steer(id, { throttle_percent: number }, why)),
});

const postCopy: Wish = {
  label: "Post-copy",
  icon: "bolt",
  grave: true,
  says: "The guest goes on running on the destination as soon as some of its memory has travelled, and the rest follows.",
  warns:
    "From then on the guest has its memory on both hosts: if the way between them breaks and can’t be mended, it is lost. It can’t be cancelled any more.",
  run: (client, id, { why }) => done(client.steer(id, { post_copy: true }, why)),
};

const suspend: Wish = {
  label: "Pause the guest",
  icon: "pause",
  grave: true,
  says: "The guest stands still while the rest is copied, and runs on the destination afterwards.",
  warns: "It does not answer for as long as the rest takes.",
  run: (client, id, { why }) => done(client.steer(id, { suspend: true }, why)),
};

const retry: Wish = {
  label: "Try again",
  icon: "again",
  says: "The same is asked for again, as a new task: facts are read and rules are asked anew.",
  run: async (client, id, { why }) => (await client.retry(id, why)).id,
};

/** What may be wanted of a task now, in the order of its buttons. */
export function wishes(task: Task): Wish[] {
  if (task.ended) return ["refused", "rolled-back", "cancelled"].includes(task.ended) ? [retry] : [];
  const transfer = task.phase === "performing";
  const crossed = task.sample?.stage === "post-copy";
  const early = "There is no transfer yet.";
  const over = "The transfer is over.";
  const late = ["finishing", "locating", "recovering"].includes(task.phase);
  const barred = transfer ? undefined : late ? over : early;
  const unless = (wish: Wish, why?: string): Wish => (why ? { ...wish, barred: why } : wish);
  const post = crossed ? "The guest runs on the destination already." : barred;
  const cancelled = task.cancelRequested ? "It was asked for already." : crossed ? "In post-copy there is no way back." : undefined;
  return [
    unless(downtime, post),
    unless(bandwidth, barred),
    unless(throttle(task), post ?? notThrottle(task)),
    unless(suspend, post),
    unless(postCopy, post ?? notPostCopy(task)),
    unless(cancel(task), cancelled),
  ];
}

/** Why a running transfer can't be switched to post-copy now. The service says whether; of what it is, the reading tells a part. */
function notPostCopy(task: Task): string | undefined {
  if (task.mayPostCopy) return undefined;
  return unready(task) ?? "Post-copy was not allowed when the migration was asked for.";
}

/** Why nobody can change now how far the guest is slowed down: by the same answer and the same reading. */
function notThrottle(task: Task): string | undefined {
  if (task.leastThrottle !== null) return undefined;
  if (task.sample?.stage === "disks") return "Its disks are being copied yet; the guest is slowed down for the memory.";
  return unready(task) ?? "Auto-converge was not allowed when the migration was asked for, or the service does without changing it.";
}

/** What of a transfer keeps anybody from changing how its memory goes over. */
function unready(task: Task): string | undefined {
  if (task.sample?.stage === "final") return "The transfer is over.";
  // The single answer tells both; without it neither is known.
  if (!task.sample || task.mayPostCopy === null) return "It is not known yet how far the transfer is.";
  return undefined;
}

/** A permitted action of recovery. Where a post-copy can go on over several networks, one of them is chosen. */
export function recovery(word: string, networks: string[]): Wish {
  const { label, says } = action(word);
  const several = word === "resume-post-copy" && networks.length > 0;
  return {
    label,
    says: `${says} Both hosts are looked at again before it; it is recorded as yours.`,
    icon: "bolt",
    grave: word.startsWith("destroy") || word === "declare-lost",
    ...(several
      ? {
          choice: {
            label: "Over the network",
            of: networks.map((name, index) => ({ value: name, label: index ? name : `${name} (the next in turn)` })),
          },
        }
      : {}),
    run: (client, id, { choice, why }) => done(client.act(id, word, several ? choice : undefined, why)),
  };
}
