// What is expected of a transfer, in words: how long it takes, or why that is not known.

import type { DryRun, Prediction } from "../api/types";
import { duration, rate } from "../text/format";

export interface Expected {
  says: string;
  /** What it was reckoned from. */
  from: string;
  /** It does not come to an end by itself. */
  endless?: boolean;
}

export function expected({ prediction, writing }: Pick<DryRun, "prediction" | "writing">): Expected {
  if (prediction) return foretold(prediction);
  if (!writing) return { says: "not known: the guest was not measured.", from: "" };
  const above = writing.converges_above_bytes_per_s;
  const converges = above ? `it converges above ${rate(above)}` : "it converges over any network";
  return {
    says: `not known: no bandwidth is known; ${converges}.`,
    from: `The guest was measured to dirty ${rate(writing.dirty_bytes_per_s)}.`,
  };
}

function foretold(prediction: Prediction): Expected {
  const { total_ms: total, downtime_ms: downtime } = prediction;
  const source = SOURCES[prediction.bandwidth_from ?? ""] ?? "";
  const from =
    `The guest was measured to dirty ${rate(prediction.dirty_bytes_per_s)}; ` +
    `the way is reckoned with ${rate(prediction.bandwidth_bytes_per_s)}${source}.`;
  if (!prediction.converges || downtime === null) {
    return { says: "it does not come to an end by itself. Post-copy or a slower guest would end it.", from, endless: true };
  }
  if (total === null) {
    return { says: `how long its disks take is not known; the guest stands still for ${duration(downtime)}.`, from };
  }
  return { says: `about ${duration(total)}, of which the guest stands still for ${duration(downtime)}.`, from };
}

/** Where a bandwidth is known from; words may be added. */
const SOURCES: Record<string, string> = {
  limit: ", the limit that is set",
  network: ", as the network is declared",
  "earlier-transfers": ", as the fastest of the last transfers between these hosts did",
};
