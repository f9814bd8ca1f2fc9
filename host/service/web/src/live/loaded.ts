// Something that is read from the service and read again from time to time, with what the page needs to tell the truth about
// it: whether it is being read, of when it is, and why it could not be read. What was read before stays while it is old.

import type { ReactiveController, ReactiveControllerHost } from "lit";
import { Problem } from "../api/client";

export class Loaded<T> implements ReactiveController {
  value: T | null = null;
  /** When it was read, ms. */
  at = 0;
  problem: Problem | null = null;
  loading = false;

  private running: Promise<void> | null = null;
  private round = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private connected = false;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly read: () => Promise<T>,
    /** Between two readings, ms; null: only when asked for. */
    private readonly every: number | null = null,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.connected = true;
    document.addEventListener("visibilitychange", this.seen);
  }

  hostDisconnected(): void {
    this.connected = false;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.seen);
  }

  /** Reads it again, or waits for the reading that is under way. */
  reload(): Promise<void> {
    return (this.running ??= this.once().finally(() => (this.running = null)));
  }

  /** Forgets it: it was of something else. */
  reset(): void {
    this.round += 1;
    this.running = null;
    this.value = null;
    this.problem = null;
    this.at = 0;
  }

  private async once(): Promise<void> {
    clearTimeout(this.timer);
    const round = this.round;
    this.loading = true;
    this.host.requestUpdate();
    try {
      const value = await this.read();
      if (round !== this.round) return;
      this.value = value;
      this.at = Date.now();
      this.problem = null;
    } catch (error) {
      if (round !== this.round) return;
      this.problem = Problem.of(error);
    }
    this.loading = false;
    this.host.requestUpdate();
    this.next();
  }

  private next(): void {
    clearTimeout(this.timer);
    // Whoever is not known is not known the next time either, and a wrong token that is sent again and again is taken for a guess.
    if (this.problem?.denied) return;
    if (this.every === null || !this.connected || document.visibilityState === "hidden") return;
    this.timer = setTimeout(() => void this.reload(), this.every);
  }

  private readonly seen = () => {
    if (this.every === null || document.visibilityState === "hidden") return;
    if (Date.now() - this.at > this.every) void this.reload();
    else this.next();
  };
}
