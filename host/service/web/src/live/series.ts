// The readings of one transfer, for its plot. Bounded: when it is full, every second reading of the older half goes, so that a
// migration of hours stays whole and its last minutes stay exact.

import type { Sample } from "../api/types";

const MOST = 1200;

/** The downtime that a reading lets expect, ms. Before anything was sent, and once the guest runs on the other side, there is
 *  nothing to expect, whatever is reported. */
export function expectedDowntime(sample: Sample): number | null {
  return sample.stage === "pre-copy" && sample.bytes_per_s ? sample.downtime_ms : null;
}

export class Series {
  /** Seconds since the transfer began. */
  readonly at: number[] = [];
  readonly remaining: (number | null)[] = [];
  readonly rate: (number | null)[] = [];
  readonly dirty: (number | null)[] = [];
  readonly downtime: (number | null)[] = [];
  private columns = [this.remaining, this.rate, this.dirty, this.downtime];

  constructor(readonly attempt: number) {}

  get length(): number {
    return this.at.length;
  }

  /** Takes a reading; one that is not newer than the last is known already. */
  add(sample: Sample): boolean {
    const at = sample.elapsed_ms / 1000;
    const last = this.at[this.at.length - 1];
    // The final reading tells the whole time and the downtime that really was; it is no point of the course.
    // Before libvirt knows how much there is, nothing remains only because nothing is known.
    if (sample.stage === "final" || !sample.total_bytes || (last !== undefined && at <= last)) return false;
    this.at.push(at);
    this.remaining.push(sample.remaining_bytes);
    this.rate.push(sample.bytes_per_s);
    this.dirty.push(sample.dirty_bytes_per_s);
    this.downtime.push(expectedDowntime(sample));
    if (this.at.length > MOST) this.thin();
    return true;
  }

  /** The same with what the service kept: of before it began to be watched, and of while nobody listened. The service keeps fewer
   *  readings than come here, so what was watched stays. */
  with(past: Sample[]): Series {
    const kept = new Series(this.attempt);
    for (const sample of past) kept.add(sample);
    const whole = new Series(this.attempt);
    let [here, there] = [0, 0];
    while (here < this.length || there < kept.length) {
      const [own, other] = [this.at[here] ?? Infinity, kept.at[there] ?? Infinity];
      const [from, index] = own <= other ? [this, here] : [kept, there];
      whole.at.push(from.at[index]!);
      for (const [place, column] of whole.columns.entries()) column.push(from.columns[place]![index]!);
      // A reading that both have counts once.
      if (own <= other) here += 1;
      if (other <= own) there += 1;
    }
    if (whole.at.length > MOST) whole.thin();
    return whole;
  }

  private thin(): void {
    const half = this.at.length >> 1;
    for (const column of [this.at, ...this.columns] as (number | null)[][]) {
      const kept = column.filter((_, index) => index >= half || index % 2 === 0);
      column.splice(0, column.length, ...kept);
    }
  }
}
