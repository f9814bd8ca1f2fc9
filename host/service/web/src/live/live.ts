// What happens, held once per service for all elements of a page: the tasks, the readings of running transfers, and whether
// the connection stands.
//
// Events say *that* something was written; what it comes to is asked of the service, so that no second phase table lives
// here. The stream is opened before the list is read: what happens between the two is in both, never in neither.

import { Client, Problem } from "../api/client";
import { read, type ServerEvent } from "../api/stream";
import type { Progress, RecordEvent, TaskStatus, Whoami } from "../api/types";
import { Series } from "./series";
import { entersStage, fromBrief, fromStatus, newestFirst, surplus, type Task, withProgress } from "./tasks";

export type Link =
  | { state: "connecting" }
  | { state: "live" }
  /** Nobody sees the page, so it does not listen. */
  | { state: "resting" }
  /** Since when (ms), why, and when it is tried again (ms). */
  | { state: "lost"; since: number; problem: Problem; retryAt: number }
  | { state: "denied"; problem: Problem };

/** Records of one task that come together are one look at it. */
const GATHER_MS = 120;
/** Until what could not be looked at is looked at again, ms. */
const AGAIN_MS = 2_000;
/** Looks at once. */
const LOOKS = 4;
/** More tasks than this are looked at by reading the list. */
const MANY = 24;
/** Between two looks at the places of those that wait, which move without a record, ms; and after a record, with which they mostly do. */
const PLACES_MS = 2_000;
const PLACES_SOON_MS = 400;
/** How long the stream is kept when nobody looks: between two pages it need not end. */
const LINGER_MS = 3_000;
/** How long a page that nobody sees keeps its stream. A browser opens six connections to a service over HTTP/1.1, and each stream
 *  takes one of them for as long as it stands. */
const HIDDEN_MS = 30_000;
/** Why a stream is ended that could go on. */
const RESTING = new Error("nobody sees the page");
const LONGEST_PAUSE_MS = 15_000;
const PAGE = 100;
/** Tasks that are over and still known; older ones are read again where they are shown. */
const KEPT = 1000;

export class Live {
  private static readonly all = new Map<Client, Live>();

  static of(client: Client): Live {
    let live = this.all.get(client);
    if (!live) this.all.set(client, (live = new Live(client)));
    return live;
  }

  link: Link = { state: "connecting" };
  /** Who the viewer is to the service; null until it has said so. */
  who: Whoami | null = null;
  /** How many tasks wait for a slot. */
  waiting = 0;
  readonly tasks = new Map<string, Task>();
  readonly series = new Map<string, Series>();
  /** Tasks that the service does not have any more. */
  readonly gone = new Set<string>();
  /** Of which attempt of a task the past was read, since the stream stands. */
  private readonly filled = new Map<string, number>();
  /** The newest page was read at least once. */
  listed = false;
  /** Grows when the service turned out to have another state: what was read from it before is of something else. */
  era = 0;

  private readonly watchers = new Set<() => void>();
  private readonly stale = new Set<string>();
  private looking = 0;
  private gather: ReturnType<typeof setTimeout> | undefined;
  private placing: ReturnType<typeof setTimeout> | undefined;
  private linger: ReturnType<typeof setTimeout> | undefined;
  private told = false;
  private last: number | null = null;
  private stop: AbortController | null = null;
  /** Of the stream that stands. */
  private once: AbortController | null = null;
  private wake: (() => void) | null = null;
  private asking: Promise<Whoami> | null = null;

  private constructor(readonly client: Client) {
    client.whenDenied((problem) => this.deny(problem));
  }

  /** Calls back after every change, at most once per frame. Answers how to end that. */
  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    clearTimeout(this.linger);
    if (!this.stop) this.run((this.stop = new AbortController()));
    return () => {
      this.watchers.delete(changed);
      if (this.watchers.size) return;
      this.linger = setTimeout(() => {
        clearTimeout(this.placing);
        this.stop?.abort();
        this.stop = null;
      }, LINGER_MS);
    };
  }

  /** All tasks that are known, newest first. */
  list(): Task[] {
    return [...this.tasks.values()].sort(newestFirst);
  }

  /** The unfinished task of a domain, if there is one. */
  of(domainId: string): Task | undefined {
    for (const task of this.tasks.values()) if (!task.ended && task.domainId === domainId) return task;
    return undefined;
  }

  /** Takes an answer about a task, from whoever asked for it. */
  take(status: TaskStatus): Task {
    const task = fromStatus(status, this.tasks.get(status.id));
    this.keep(task);
    return task;
  }

  /** Looks at a task now. */
  async look(id: string): Promise<Task> {
    try {
      return this.take(await this.client.task(id));
    } catch (error) {
      if (error instanceof Problem && error.status === 404) {
        this.tasks.delete(id);
        this.gone.add(id);
        this.changed();
      }
      throw error;
    }
  }

  /** Reads the past of a task's last transfer into its plot, once per attempt: a plot that is opened late is whole. */
  async fill(task: Task): Promise<void> {
    if (this.filled.get(task.id) === task.attempt) return;
    this.filled.set(task.id, task.attempt);
    try {
      const { samples } = await this.client.samples(task.id);
      const past = samples.filter((sample) => sample.attempt === task.attempt).map(({ sample }) => sample);
      const known = this.series.get(task.id);
      if (known && known.attempt > task.attempt) return;
      const now = known?.attempt === task.attempt ? known : new Series(task.attempt);
      this.series.set(task.id, now.with(past));
      this.changed();
    } catch {
      // The plot begins where the page does; whoever opens it again asks again.
      this.filled.delete(task.id);
    }
  }

  /** Asks who the viewer is. It is asked with each connection; who follows no events asks here. */
  know(): Promise<Whoami> {
    return (this.asking ??= this.client
      .whoami()
      .then((who) => (this.who = who))
      .finally(() => (this.asking = null)));
  }

  /** Tries the connection now. */
  retry(): void {
    this.wake?.();
  }

  private async run(stop: AbortController): Promise<void> {
    let failures = 0;
    /** The page is hidden for so long that it does not listen. */
    let resting = false;
    let hidden: ReturnType<typeof setTimeout> | undefined;
    if (this.link.state === "denied") this.to({ state: "connecting" });
    const online = () => this.wake?.();
    const rest = () => {
      resting = true;
      // Whom the service does not know has no stream, and is not to ask once more for it.
      if (this.link.state === "denied") return;
      this.once?.abort(RESTING);
      this.wake?.();
    };
    const turned = () => {
      clearTimeout(hidden);
      if (document.visibilityState === "hidden") {
        hidden = setTimeout(rest, HIDDEN_MS);
        return;
      }
      const rested = resting;
      resting = false;
      // Whoever has logged in elsewhere comes back to this page. A token that was refused is not tried again and again.
      if (this.link.state === "denied" ? !this.client.hasToken : rested) this.wake?.();
    };
    addEventListener("online", online);
    document.addEventListener("visibilitychange", turned);
    turned();
    while (!stop.signal.aborted) {
      if (resting) {
        // Since when the connection was lost, or that nobody is known to ask, stays what is known of it.
        if (this.link.state === "live" || this.link.state === "connecting") this.to({ state: "resting" });
        await this.pause(null, stop.signal);
        continue;
      }
      if (this.link.state === "resting" || this.link.state === "denied") this.to({ state: "connecting" });
      const once = (this.once = new AbortController());
      const end = () => once.abort();
      stop.signal.addEventListener("abort", end);
      try {
        const response = await this.client.events(this.last, once.signal);
        const listening = read(
          response,
          once,
          (event) => this.hear(event),
          () => (failures = 0),
        );
        // Should the stream break while the list is read, the list's failure is what is told.
        listening.catch(() => {});
        await Promise.all([this.know(), this.readList()]);
        this.to({ state: "live" });
        void this.refresh();
        this.follow();
        await listening;
        throw new Problem("stream-ended", 0, "the service ended the stream of events");
      } catch (error) {
        once.abort();
        if (stop.signal.aborted) break;
        if (once.signal.reason === RESTING) continue;
        const problem = Problem.of(error);
        if (this.link.state === "denied") {
          await this.pause(null, stop.signal);
          this.to({ state: "connecting" });
        } else {
          // Its state was replaced: what is known here is of another one.
          if (problem.code === "unknown-event") this.forget();
          failures += 1;
          const pause = Math.min(LONGEST_PAUSE_MS, 400 * 2 ** failures) * (0.7 + 0.6 * Math.random());
          const since = this.link.state === "lost" ? this.link.since : Date.now();
          this.to({ state: "lost", since, problem, retryAt: Date.now() + pause });
          await this.pause(pause, stop.signal);
        }
      } finally {
        stop.signal.removeEventListener("abort", end);
      }
    }
    clearTimeout(hidden);
    removeEventListener("online", online);
    document.removeEventListener("visibilitychange", turned);
  }

  /** The service does not know who asks, or not any more: what it said of that before is void, and its stream is ended. */
  private deny(problem: Problem): void {
    if (this.link.state === "denied") return;
    this.who = null;
    this.to({ state: "denied", problem });
    this.once?.abort();
  }

  private pause(ms: number | null, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
      this.wake = done;
      signal.addEventListener("abort", done);
    });
  }

  private async readList(): Promise<void> {
    const [unfinished, newest] = await Promise.all([
      this.client.tasks({ states: ["unfinished"], limit: 500 }),
      this.client.tasks({ limit: PAGE }),
    ]);
    // Readings that came while nobody listened do not come again. Plots that are shown are filled again, the others when they are.
    this.filled.clear();
    const there = new Set([...unfinished.tasks, ...newest.tasks].map((brief) => brief.id));
    for (const brief of [...newest.tasks, ...unfinished.tasks]) {
      this.tasks.set(brief.id, fromBrief(brief, this.tasks.get(brief.id)));
    }
    // What was unfinished here and is in neither list ended while nobody listened.
    for (const task of this.tasks.values()) if (!task.ended && !there.has(task.id)) this.stale.add(task.id);
    // A row tells neither what is going on nor the last reading.
    for (const brief of unfinished.tasks.slice(0, MANY)) this.stale.add(brief.id);
    this.waiting = unfinished.tasks.filter((brief) => brief.place !== null).length;
    this.listed = true;
    this.changed();
  }

  /** Looks where those stand that may wait, and again as long as there are any. */
  private async places(): Promise<void> {
    this.placing = undefined;
    if (this.link.state !== "live") return;
    const early = [...this.tasks.values()].filter((task) => !task.ended && task.phase === "accepted");
    try {
      const { tasks } = early.length ? await this.client.tasks({ states: ["accepted"], limit: 500 }) : { tasks: [] };
      const there = new Set(tasks.map((brief) => brief.id));
      for (const task of early) if (!there.has(task.id)) this.stale.add(task.id);
      for (const brief of tasks) {
        const known = this.tasks.get(brief.id);
        // What it waits for is told by the single answer alone.
        if (known?.place !== brief.place) this.stale.add(brief.id);
        this.tasks.set(brief.id, fromBrief(brief, known));
      }
      this.waiting = tasks.filter((brief) => brief.place !== null).length;
      this.changed();
      if (this.stale.size) void this.refresh();
    } catch {
      // The stream tells when the connection is gone.
    }
    this.follow();
  }

  private follow(soon = false): void {
    const early = [...this.tasks.values()].filter((task) => !task.ended && task.phase === "accepted");
    if (!early.length || !this.stop || this.link.state !== "live") return;
    if (soon) clearTimeout(this.placing);
    if (soon || this.placing === undefined) this.placing = setTimeout(() => void this.places(), soon ? PLACES_SOON_MS : PLACES_MS);
  }

  private hear(event: ServerEvent): void {
    if (event.id !== null && /^\d+$/.test(event.id)) this.last = Number(event.id);
    if (event.kind === "record") {
      const { task } = JSON.parse(event.data) as RecordEvent;
      this.stale.add(task);
      this.gather ??= setTimeout(() => void this.refresh(), GATHER_MS);
    } else if (event.kind === "progress") {
      const progress = JSON.parse(event.data) as Progress;
      const task = this.tasks.get(progress.task);
      // Whether it may be switched to post-copy changes with the stage, and there is no record of that.
      if (!task || entersStage(task, progress)) {
        this.stale.add(progress.task);
        this.gather ??= setTimeout(() => void this.refresh(), GATHER_MS);
      }
      if (task) this.keep(withProgress(task, progress));
    }
  }

  /** Asks about everything that changed, while the connection stands; what changed while it does not is asked about once it does.
   *  A service that is away, or takes the caller for nobody, is asked by `run` alone, which pauses in between. */
  private async refresh(): Promise<void> {
    clearTimeout(this.gather);
    this.gather = undefined;
    if (this.link.state !== "live") return;
    if (this.stale.size > MANY) {
      try {
        for (const brief of (await this.client.tasks({ limit: 500 })).tasks) {
          this.tasks.set(brief.id, fromBrief(brief, this.tasks.get(brief.id)));
          this.stale.delete(brief.id);
        }
        this.changed();
      } catch {
        this.again();
        return;
      }
    }
    while (this.link.state === "live" && this.stale.size && this.looking < LOOKS) {
      const [id] = this.stale;
      this.stale.delete(id!);
      this.looking += 1;
      this.look(id!)
        .catch((error: unknown) => {
          // One that is not there any more has nothing to be looked at.
          if (Problem.of(error).status === 404) return;
          this.stale.add(id!);
          this.again();
        })
        .finally(() => {
          this.looking -= 1;
          if (this.gather !== undefined) return;
          if (this.stale.size) void this.refresh();
          else this.follow(true);
        });
    }
  }

  /** What can't be looked at now is looked at later: there may be no event any more that would tell of it. */
  private again(): void {
    if (this.link.state === "live") this.gather ??= setTimeout(() => void this.refresh(), AGAIN_MS);
  }

  private keep(task: Task): void {
    this.tasks.set(task.id, task);
    // Not at each one: looking for the oldest costs more than keeping some.
    if (this.tasks.size > KEPT * 1.5) {
      for (const id of surplus(this.tasks.values(), KEPT)) {
        // Those who show it are yet to hear what became of it.
        if (id === task.id) continue;
        this.tasks.delete(id);
        this.series.delete(id);
        this.filled.delete(id);
      }
    }
    if (task.sample) {
      let series = this.series.get(task.id);
      if (!series || series.attempt < task.attempt) this.series.set(task.id, (series = new Series(task.attempt)));
      series.add(task.sample);
    }
    this.changed();
  }

  private forget(): void {
    this.last = null;
    this.tasks.clear();
    this.series.clear();
    this.filled.clear();
    this.stale.clear();
    this.gone.clear();
    this.waiting = 0;
    this.listed = false;
    this.era += 1;
    this.changed();
  }

  private to(link: Link): void {
    this.link = link;
    this.changed();
  }

  private changed(): void {
    if (this.told) return;
    this.told = true;
    const tell = () => {
      this.told = false;
      for (const watcher of [...this.watchers]) watcher();
    };
    // A page in the background has no frames.
    if (document.visibilityState === "visible") requestAnimationFrame(tell);
    else setTimeout(tell, 250);
  }
}
