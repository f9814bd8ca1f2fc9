// The only border to the service: every request of the pages is made here, and every failure leaves here as a `Problem`.

import type {
  Check,
  DecisionPage,
  Domains,
  DryRun,
  Host,
  NewTask,
  Plugin,
  PluginSettings,
  Plugins,
  Queue,
  Readiness,
  Samples,
  Situation,
  Steer,
  TaskPage,
  TaskRecords,
  TaskStatus,
  Version,
  Whoami,
} from "./types";

/** What went wrong, in the service's words, or in ours where it did not answer. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    /** HTTP status; 0 where there was no answer. */
    readonly status: number,
    detail: string,
    override readonly cause: string | null = null,
    readonly remedy: string | null = null,
    readonly task: string | null = null,
  ) {
    super(detail);
    this.name = "Problem";
  }

  /** Whether what was asked for may have been done, or be done yet: there was no answer, or one that does not say. A change that takes
   *  longer than its answer goes on, one may be made and not be noted, and a proxy gives up earlier than the service. What is
   *  refused because it is too much at once, or the service is being stopped, was not begun. */
  get unsettled(): boolean {
    return this.status === 0 || (this.status >= 500 && this.code !== "busy" && this.code !== "draining");
  }

  /** The service wants to know who asks. */
  get denied(): boolean {
    return this.status === 401;
  }

  static of(error: unknown): Problem {
    if (error instanceof Problem) return error;
    const why = error instanceof Error ? error.message : String(error);
    return new Problem("no-answer", 0, "the service does not answer", why, "see that it runs and can be reached");
  }
}

/** Which tasks are wanted. */
export interface TaskQuery {
  /** `unfinished`, a phase, or an outcome; several are alternatives. */
  states?: string[];
  domain?: string;
  host?: string;
  cursor?: string;
  limit?: number;
}

/** A document, and what a change of it has to name. */
export interface Tagged<T> {
  value: T;
  tag: string;
}

/** Why something is changed, for the service's audit log. A header of `fetch` has bytes, so what is beyond ASCII goes as those of UTF-8. */
function because(why = ""): Record<string, string> {
  const bytes = new TextEncoder().encode(why.trim());
  return bytes.length ? { "Waypost-Reason": String.fromCharCode(...bytes) } : {};
}

/** Longer than the service itself works on a request, ms. */
const LONGEST_MS = 130_000;

/** Where the module was loaded from; the service that served it is the default one. */
const home = import.meta.url;

/** A service and who asks. Equal ones are one object, so that all elements of a page share one stream of events. */
export class Client {
  private static readonly all = new Map<string, Client>();

  static of(base: string | null | undefined, token: string | null | undefined): Client {
    const prefix = new URL(base || ".", base ? document.baseURI : home).href.replace(/\/?$/, "/");
    const key = `${prefix}\n${token ?? ""}`;
    let client = this.all.get(key);
    if (!client) {
      client = new Client(prefix, token || null);
      this.all.set(key, client);
    }
    return client;
  }

  private readonly denials = new Set<(problem: Problem) => void>();

  private constructor(
    /** URL that `api/v1` is below, with a slash at its end. */
    readonly prefix: string,
    private readonly token: string | null,
  ) {}

  /** Whether a token is sent along; else the browser's cookies speak for the viewer. */
  get hasToken(): boolean {
    return this.token !== null;
  }

  /** Calls back with each answer that the service wants to know who asks. Answers how to end that. */
  whenDenied(hear: (problem: Problem) => void): () => void {
    this.denials.add(hear);
    return () => this.denials.delete(hear);
  }

  /** Who the viewer is here, and what that permits. */
  whoami = () => this.get<Whoami>("session");
  /** Logs out. */
  endSession = () => this.send("session", { method: "DELETE" });
  version = () => this.get<Version>("system/version");
  hosts = () => this.get<{ hosts: Host[] }>("hosts");
  domains = () => this.get<Domains>("domains");
  queue = () => this.get<Queue>("queue");
  readiness = (signal?: AbortSignal) => this.get<Readiness>("readiness", signal);
  plugins = () => this.get<Plugins>("plugins");

  /** What the rules say of moving a domain to every other host. */
  check = (domain: string, from: string, signal?: AbortSignal) =>
    this.post<Check>("checks", { domain, from }, { signal });

  /** What a migration would do. */
  dryRun = (task: NewTask, signal?: AbortSignal) => this.post<DryRun>("dry-runs", task, { signal });

  tasks(query: TaskQuery = {}): Promise<TaskPage> {
    const params = new URLSearchParams();
    if (query.states?.length) params.set("state", query.states.join(","));
    for (const key of ["domain", "host", "cursor"] as const) if (query[key]) params.set(key, query[key]);
    if (query.limit) params.set("limit", String(query.limit));
    const text = params.toString();
    return this.get<TaskPage>(text ? `tasks?${text}` : "tasks");
  }

  task = (id: string) => this.get<TaskStatus>(`tasks/${encodeURIComponent(id)}`);
  records = (id: string) => this.get<TaskRecords>(`tasks/${encodeURIComponent(id)}/records`);
  samples = (id: string) => this.get<Samples>(`tasks/${encodeURIComponent(id)}/samples`);
  /** What one policy answered in the last migrations, newest first. */
  decisions = (plugin: string, limit: number) =>
    this.get<DecisionPage>(`decisions?plugin=${encodeURIComponent(plugin)}&limit=${limit}`);
  situation = (id: string) => this.get<Situation>(`tasks/${encodeURIComponent(id)}/situation`);

  // Policies. What changes one names what it changes: its tag, or null where it must not be there yet.
  settings = (plugin: string) => this.tagged<PluginSettings>(`plugins/${encodeURIComponent(plugin)}/settings`);
  putPlugin(plugin: string, file: Blob, tag: string | null, enabled: boolean, why?: string): Promise<Tagged<Plugin>> {
    const headers: Record<string, string> = { "Content-Type": "application/wasm", ...because(why) };
    headers[tag === null ? "If-None-Match" : "If-Match"] = tag ?? "*";
    const query = enabled ? "" : "?enabled=false";
    return this.tagged<Plugin>(`plugins/${encodeURIComponent(plugin)}${query}`, { method: "PUT", headers, body: file });
  }
  deletePlugin = (plugin: string, tag: string, why?: string) =>
    this.send(`plugins/${encodeURIComponent(plugin)}`, { method: "DELETE", headers: { "If-Match": tag, ...because(why) } });
  switchPlugin = (plugin: string, on: boolean, why?: string) =>
    this.post<Plugin>(`plugins/${encodeURIComponent(plugin)}/${on ? "enable" : "disable"}`, undefined, { headers: because(why) });
  putSettings = (plugin: string, settings: object, tag: string, why?: string) =>
    this.tagged<PluginSettings>(`plugins/${encodeURIComponent(plugin)}/settings`, {
      method: "PUT",
      headers: { "Content-Type": "application/json", "If-Match": tag, ...because(why) },
      body: JSON.stringify(settings),
    });
  /** Those of the configuration are in force again. */
  forgetSettings = (plugin: string, tag: string, why?: string) =>
    this.tagged<PluginSettings>(`plugins/${encodeURIComponent(plugin)}/settings`, {
      method: "DELETE",
      headers: { "If-Match": tag, ...because(why) },
    });

  /** Begins a migration. The same key never begins a second one, so it may be sent again after a lost answer. */
  create = (task: NewTask, key: string, why?: string) =>
    this.post<TaskStatus>("tasks", task, { headers: { "Idempotency-Key": key, ...because(why) } });
  cancel = (id: string, why?: string) =>
    this.post<unknown>(`tasks/${encodeURIComponent(id)}/cancel`, undefined, { headers: because(why) });
  retry = (id: string, why?: string) =>
    this.post<TaskStatus>(`tasks/${encodeURIComponent(id)}/retry`, undefined, { headers: because(why) });
  steer = (id: string, wish: Steer, why?: string) =>
    this.post<unknown>(`tasks/${encodeURIComponent(id)}/steer`, wish, { headers: because(why) });
  act = (id: string, action: string, network?: string, why?: string) =>
    this.post<unknown>(`tasks/${encodeURIComponent(id)}/actions`, network ? { action, network } : { action }, { headers: because(why) });

  /** The stream of all events, from after that one on. */
  events(after: number | null, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (after !== null) headers["Last-Event-ID"] = String(after);
    return this.send("events", { headers, signal, cache: "no-store" });
  }

  private async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await this.send(path, { headers: { Accept: "application/json" }, signal })).json() as Promise<T>;
  }

  private async tagged<T>(path: string, init: RequestInit = {}): Promise<Tagged<T>> {
    const response = await this.send(path, { ...init, headers: { Accept: "application/json", ...(init.headers as Record<string, string>) } });
    return { value: (await response.json()) as T, tag: response.headers.get("ETag") ?? "" };
  }

  private async post<T>(path: string, body?: object, init: RequestInit = {}): Promise<T> {
    const headers: Record<string, string> = { Accept: "application/json", ...(init.headers as Record<string, string>) };
    if (body) headers["Content-Type"] = "application/json";
    const response = await this.send(path, { ...init, method: "POST", headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    return (text ? JSON.parse(text) : null) as T;
  }

  private async send(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token) headers.set("Authorization", `Bearer ${this.token}`);
    // A stream has no end; whoever reads it notices its silence.
    const late = path === "events" ? [] : [AbortSignal.timeout(LONGEST_MS)];
    const signal = AbortSignal.any([...(init.signal ? [init.signal] : []), ...late]);
    let response: Response;
    try {
      response = await fetch(`${this.prefix}api/v1/${path}`, { ...init, headers, signal, credentials: "same-origin" });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw Problem.of(error);
    }
    if (response.ok) return response;
    const problem = await refusal(response);
    if (problem.denied) for (const hear of [...this.denials]) hear(problem);
    throw problem;
  }
}

async function refusal(response: Response): Promise<Problem> {
  const told = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const text = (key: string) => (typeof told[key] === "string" ? (told[key] as string) : null);
  return new Problem(
    text("code") ?? `http-${response.status}`,
    response.status,
    text("detail") ?? text("title") ?? `the service answered ${response.status} ${response.statusText}`.trim(),
    text("cause"),
    text("remedy"),
    text("task"),
  );
}
