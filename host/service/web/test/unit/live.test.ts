// The one stream of a page: what it asks of the service while that is away, while nobody is known to ask, and while nobody looks.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Client } from "../../src/api/client";
import { Live } from "../../src/live/live";

/** What a page can't ask more often than in an unpaused loop. The request after that is never answered, so that a test fails and ends. */
const ENDLESS = 500;
const SECOND = 1000;

/** As much of a browser as is used here. */
class Tab extends EventTarget {
  readonly baseURI = "http://waypost.test/";
  visibilityState = "visible";

  turn(to: "visible" | "hidden"): void {
    this.visibilityState = to;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

interface Stream {
  after: string | null;
  open: boolean;
  send(text: string): void;
  end(): void;
}

/** A service with one task. */
class Service {
  readonly asked: string[] = [];
  readonly streams: Stream[] = [];
  /** Instead of every answer. */
  refuses: { status: number; code: string } | null = null;
  samples: object[] = [];
  task = {
    id: "t1", created_at: "2026-03-01T12:00:00.000Z", updated_at: "2026-03-01T12:00:05.000Z", domain: "web1", domain_id: "d1", source: "a",
    destination: "b", phase: "performing", place: null, message: "web1 is moving to b", progress: 30, outcome: null as object | null,
    status: "running", attempt: 1, target_uri: null, requested_by: "anna", cancel_requested: false, may_post_copy: false, least_throttle_percent: null,
    sample: null, sequence: 4,
  };

  get standing(): Stream[] {
    return this.streams.filter((stream) => stream.open);
  }

  /** How often that was asked for. */
  count(path: string): number {
    return this.asked.filter((one) => one === path).length;
  }

  readonly fetch = async (url: string, { signal, headers }: { signal: AbortSignal; headers: Headers }): Promise<Response> => {
    const path = url.replace(/^.*\/api\/v1\//, "");
    this.asked.push(path);
    if (this.asked.length > ENDLESS) return new Promise(() => {});
    if (this.refuses) return Response.json({ code: this.refuses.code, detail: "no" }, { status: this.refuses.status });
    if (path === "events") return this.listen(signal, headers);
    if (path === "session") return Response.json({ name: "anna", role: "admin", permissions: [], grants: [], session: false });
    if (path.startsWith("tasks?")) return Response.json({ tasks: [{ ...this.task, outcome: null }], next: null });
    if (path === "tasks/t1") return Response.json(this.task);
    if (path === "tasks/t1/samples") return Response.json({ task: "t1", samples: this.samples });
    return Response.json({ code: "no-such-task", detail: "there is none" }, { status: 404 });
  };

  private listen(signal: AbortSignal, headers: Headers): Response {
    let stream: Stream;
    const body = new ReadableStream<Uint8Array>({
      start: (to) => {
        const beat = setInterval(() => stream.send(": still here\\n\\n"), 15 * SECOND);
        const close = (how: () => void) => () => {
          clearInterval(beat);
          if (stream.open) how();
          stream.open = false;
        };
        stream = {
          after: headers.get("Last-Event-ID"),
          open: true,
          send: (text) => to.enqueue(new TextEncoder().encode(text)),
          end: close(() => to.close()),
        };
        signal.addEventListener("abort", close(() => to.error(signal.reason)));
        stream.send(": waypost\n\n");
      },
    });
    this.streams.push(stream!);
    return new Response(body);
  }

  /** A reading of the task's transfer. */
  progress(stage: string, percent: number): void {
    const { domain, source, destination, phase, attempt } = this.task;
    const reading = { task: "t1", domain, source, destination, phase, attempt, progress: percent, note: "", sample: { stage, elapsed_ms: 10 * percent } };
    for (const stream of this.standing) stream.send(`event: progress\ndata: ${JSON.stringify(reading)}\n\n`);
  }

  /** Something was written of the task. */
  record(id: number): void {
    for (const stream of this.standing) stream.send(`id: ${id}\nevent: record\ndata: {"task":"t1"}\n\n`);
  }
}

let tab: Tab;
let service: Service;
let live: Live;
let leave: () => void;
let pages = 0;

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Whoever begins another client begins another page. */
async function begin(token: string | null = "a-token"): Promise<void> {
  live = Live.of(Client.of(`http://waypost.test/${(pages += 1)}`, token));
  leave = live.watch(() => {});
  await pass(100);
}

beforeEach(() => {
  vi.useFakeTimers();
  tab = new Tab();
  service = new Service();
  vi.stubGlobal("document", tab);
  vi.stubGlobal("fetch", service.fetch);
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("removeEventListener", () => {});
  vi.stubGlobal("requestAnimationFrame", (tell: () => void) => setTimeout(tell, 16));
});

afterEach(async () => {
  leave();
  await pass(10 * SECOND);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("it looks at what is under way, and at what a record tells of", async () => {
  await begin();
  expect(live.link.state).toBe("live");
  expect([service.standing.length, service.count("tasks/t1")]).toEqual([1, 1]);
  service.record(7);
  await pass(SECOND);
  expect(service.count("tasks/t1")).toBe(2);
});

test("a reading of another stage is looked into: with it changes what may be asked of the transfer", async () => {
  await begin();
  service.progress("disks", 31);
  await pass(SECOND);
  expect([service.count("tasks/t1"), live.tasks.get("t1")!.mayPostCopy]).toEqual([2, null]);
  Object.assign(service.task, { may_post_copy: true, progress: 32, sample: { stage: "pre-copy", elapsed_ms: 320 } });
  service.progress("pre-copy", 32);
  await pass(SECOND);
  expect([service.count("tasks/t1"), live.tasks.get("t1")!.mayPostCopy]).toEqual([3, true]);
  for (const percent of [33, 34]) service.progress("pre-copy", percent);
  await pass(SECOND);
  expect([service.count("tasks/t1"), live.tasks.get("t1")!.mayPostCopy]).toEqual([3, true]);
});

test("a token that is worthless is shown once, whatever happens meanwhile", async () => {
  await begin();
  const before = service.asked.length;
  service.refuses = { status: 401, code: "no-caller" };
  // Before the service ends the stream of whom it does not know any more.
  service.record(7);
  await pass(60 * SECOND);
  expect(live.link.state).toBe("denied");
  expect(service.asked.slice(before)).toEqual(["tasks/t1"]);
  // Nor is it shown again because the page was hidden for a while.
  tab.turn("hidden");
  await pass(60 * SECOND);
  tab.turn("visible");
  await pass(60 * SECOND);
  expect(service.asked.slice(before)).toEqual(["tasks/t1"]);
});

test("a service that is away is asked at intervals, and what was missed is looked at once it is back", async () => {
  await begin();
  service.refuses = { status: 502, code: "http-502" };
  service.record(7);
  await pass(SECOND);
  for (const stream of service.standing) stream.end();
  await pass(SECOND / 10);
  expect(live.link.state).toBe("lost");
  const looks = service.count("tasks/t1");
  const before = service.asked.length;
  await pass(60 * SECOND);
  expect(service.count("tasks/t1")).toBe(looks);
  // The stream alone, after pauses that grow to 15 s.
  expect(new Set(service.asked.slice(before))).toEqual(new Set(["events"]));
  expect(service.asked.length - before).toBeLessThan(20);
  service.refuses = null;
  service.task.outcome = { kind: "stuck", summary: "web1 is paused on a", causes: [], remedy: null };
  await pass(30 * SECOND);
  expect(live.link.state).toBe("live");
  expect(live.tasks.get("t1")!.ended).toBe("stuck");
});

test("a plot is whole again after the connection was lost", async () => {
  const reading = (second: number) => ({
    at: "", attempt: 1, progress: 0, sample: { stage: "pre-copy", elapsed_ms: second * SECOND, total_bytes: 100, remaining_bytes: 100 - second },
  });
  await begin();
  const fill = () => live.fill(live.tasks.get("t1")!);
  service.samples = [1, 2].map(reading);
  await fill();
  await fill();
  expect(service.count("tasks/t1/samples")).toBe(1);
  for (const stream of service.standing) stream.end();
  await pass(10 * SECOND);
  expect([live.link.state, service.standing.length]).toEqual(["live", 1]);
  service.samples = [1, 2, 3, 4].map(reading);
  await fill();
  expect(live.series.get("t1")!.at).toEqual([1, 2, 3, 4]);
});

test("a page that is hidden lets go of its stream, and goes on after the last event once it is seen", async () => {
  await begin();
  service.record(7);
  await pass(SECOND);
  tab.turn("hidden");
  await pass(29 * SECOND);
  tab.turn("visible");
  await pass(60 * SECOND);
  expect([service.streams.length, service.standing.length], "hidden for a moment").toEqual([1, 1]);
  tab.turn("hidden");
  await pass(31 * SECOND);
  expect([live.link.state, service.standing.length]).toEqual(["resting", 0]);
  const before = service.asked.length;
  await pass(3600 * SECOND);
  expect(service.asked.length, "nothing is asked for nobody").toBe(before);
  service.task.outcome = { kind: "completed", summary: "web1 is running on b", causes: [], remedy: null };
  tab.turn("visible");
  await pass(SECOND);
  expect([live.link.state, service.standing.length]).toEqual(["live", 1]);
  expect(service.streams.at(-1)!.after).toBe("7");
  expect(live.tasks.get("t1")!.ended).toBe("completed");
});

test("a page that was never seen, or whose service is away, does not go on for ever either", async () => {
  tab.visibilityState = "hidden";
  await begin();
  expect(service.standing.length).toBe(1);
  await pass(31 * SECOND);
  expect(service.standing.length).toBe(0);
  tab.turn("visible");
  await pass(SECOND);
  service.refuses = { status: 502, code: "http-502" };
  for (const stream of service.standing) stream.end();
  await pass(SECOND);
  const since = live.link.state === "lost" ? live.link.since : null;
  expect(since).not.toBe(null);
  tab.turn("hidden");
  await pass(60 * SECOND);
  const before = service.asked.length;
  await pass(600 * SECOND);
  expect(service.asked.length).toBe(before);
  tab.turn("visible");
  await pass(SECOND / 10);
  // It is tried at once, and since when it is away stays what it was.
  expect(service.asked.length).toBe(before + 1);
  expect(live.link).toMatchObject({ state: "lost", since });
});

test("a task that the service does not have is gone", async () => {
  await begin();
  await expect(live.look("t9")).rejects.toMatchObject({ status: 404 });
  expect([...live.gone]).toEqual(["t9"]);
});
