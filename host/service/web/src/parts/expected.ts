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

export function expected({ plan, prediction, writing }: Pick<DryRun, "plan" | "prediction" | "writing">): Expected {
  const still = plan?.stream["stands_still"] === true;
  if (prediction) return foretold(prediction, still);
  if (!writing) return { says: "not known: the guest was not measured.", from: "" };
  const above = writing.converges_above_bytes_per_s;
  const from = `${dirties(writing.dirty_bytes_per_s, still)}.`;
  if (above) return { says: `not known: no bandwidth is known; it converges above ${rate(above)}.`, from };
  return { says: "it converges over any network. How long it takes is not known: no bandwidth is known.", from };
}

/** What is reckoned with where the guest stands still was not measured. */
function dirties(bytes: number, still: boolean): string {
  return still ? "The guest stands still meanwhile and writes nothing" : `The guest was measured to dirty ${rate(bytes)}`;
}

function foretold(prediction: Prediction, still: boolean): Expected {
  const { total_ms: total, downtime_ms: downtime } = prediction;
  const source = SOURCES[prediction.bandwidth_from ?? ""] ?? "";
  const from =
    `${dirties(prediction.dirty_bytes_per_s, still)}; ` +
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
