// A service that is made up: the routes of /api/v1 that the pages use, over a small fleet whose transfers take their time. It
// knows no phase table and decides nothing; it is there so that pages can be changed and tested without a build of the program.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

const told = JSON.parse(readFileSync(new URL("told.json", import.meta.url), "utf8"));
const MIB = 1024 * 1024;
const TICK_MS = 500;
const iso = (ms = Date.now()) => new Date(ms).toISOString();
const hex = (bytes) => randomBytes(bytes).toString("hex");

const PERMISSIONS = { viewer: ["look"], operator: ["look", "move"], "policy-admin": ["look", "change-policies"], admin: ["look", "move", "change-policies", "audit"] };

/** Ids sort by the time at which they were made, as the program's do. */
function uuid() {
  const time = Date.now().toString(16).padStart(12, "0");
  const rest = hex(10);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-8${rest.slice(3, 6)}-${rest.slice(6, 18)}`;
}

const problem = (status, code, detail, more = {}) => ({
  status,
  body: { type: `urn:waypost:problem:${code}`, title: code, status, detail, code, phase: null, cause: null, remedy: null, task: null, ...more },
});

export class Fake {
  /**
   * `token`: wanted of everybody, or a cookie that it begins; `role`: the viewer's; `who`: what else is different of who that is;
   * `pace`: how much faster time passes; `history`: migrations that are over already; `slots`: how many may run at once;
   * `situation`: what is different of what both hosts say; `dryRun`: of a dry run that is allowed; `origins`: those whose pages may ask with a token.
   */
  constructor({ token = null, role = "admin", who = {}, pace = 1, history = true, slots = Infinity, situation = {}, dryRun = {}, origins = [] } = {}) {
    Object.assign(this, { token, pace, slots, situation, dryRun, origins, sequence: 0, log: [], down: false, acted: [], reasons: [], preflights: [] });
    Object.assign(this, { streams: new Set(), keys: new Map(), tasks: new Map(), sessions: new Set() });
    this.who = { name: "anna", role, permissions: PERMISSIONS[role], hosts: [], domains: [], ...who };
    const { permissions, hosts, domains } = this.who;
    this.who.grants ??= [{ role, permissions, hosts, domains }];
    this.hosts = structuredClone(told.hosts);
    this.domains = structuredClone(told.domains);
    this.policies = new Map(structuredClone(told.plugins.plugins).map((one) => [one.name, { settings: {}, by: null, plugin: one }]));
    if (history) for (const past of told.history) this.remember(past);
    this.timer = setInterval(() => this.tick(), TICK_MS / pace);
    this.timer.unref();
  }

  stop() {
    clearInterval(this.timer);
    this.cut();
  }

  /** Ends every stream, as a service that is restarted does. */
  cut() {
    for (const stream of this.streams) stream.end();
    this.streams.clear();
  }

  /** Ends every session, as a service does that is started anew. */
  logOut() {
    this.sessions.clear();
    this.cut();
  }

  /** Who asks: a session or not; none: nobody. */
  asks(request) {
    const cookie = /(?:^|; )session=([^;]*)/.exec(request.headers.cookie ?? "")?.[1];
    if (!this.token || request.headers.authorization === `Bearer ${this.token}`) return { session: false };
    return this.sessions.has(cookie) ? { session: true, cookie } : null;
  }

  /** Forgets everything, as a service does whose state was replaced. */
  replace() {
    Object.assign(this, { sequence: 0, log: [] });
    this.tasks.clear();
    this.cut();
  }

  // Tasks.

  remember({ domain, source, destination, kind, summary, causes = [], remedy = null, minutes, sample = null }) {
    const id = uuid();
    const at = iso(Date.now() - minutes * 60_000);
    const begun = iso(Date.now() - minutes * 60_000 - 4_000 - ((minutes * 7919) % 90_000));
    const over = { kind, summary, causes, remedy };
    const known = this.domains.find((one) => one.name === domain);
    const progress = kind === "completed" ? 100 : sample ? 64 : 0;
    this.tasks.set(id, {
      id, status: kind, message: summary, progress, phase: "ended", attempt: 1, domain, domain_id: known?.id ?? null,
      source, destination, target_uri: null, requested_by: "anna", cancel_requested: false, created_at: begun, updated_at: at,
      outcome: over, sample, sequence: (this.sequence += 1), journal: [], decisions: told.decisions.map((one) => ({ ...one, decided_at: at })),
    });
  }

  make({ domain: key, from, to, options = {} }, by = "you") {
    const domain = this.domains.find((one) => (one.id === key || one.name === key) && (!from || one.host === from));
    if (!domain) return problem(404, "no-such-domain", `no host has a domain ${key}`);
    const busy = [...this.tasks.values()].find((task) => !task.outcome && task.domain_id === domain.id);
    if (busy) return problem(409, "domain-busy", `task ${busy.id} is migrating this domain already`, { task: busy.id });
    const id = uuid();
    const memory = (told.memory_mib[domain.name] ?? 2048) * MIB;
    const dirty = (told.dirty_mib_s[domain.name] ?? 8) * MIB;
    const task = {
      id, status: "running", message: `the facts of ${domain.name} are read and the rules are asked`, progress: 0, phase: "accepted",
      attempt: 1, domain: domain.name, domain_id: domain.id, source: domain.host, destination: to, target_uri: null, requested_by: by,
      cancel_requested: false, created_at: iso(), updated_at: iso(), outcome: null, sample: null, sequence: 0,
      journal: [], decisions: [],
      // Beside the document: how the transfer goes.
      made: { domain, memory, left: memory, sent: 0, elapsed: 0, dirty, pass: 1, step: 0, options, downtime: options.max_downtime_ms ?? 300, post: false },
    };
    this.tasks.set(id, task);
    this.write(task, "accepted", { domain: domain.name, source: domain.host, destination: to, requester: by });
    return { status: 202, body: this.status(task) };
  }

  write(task, record, details = {}) {
    const entry = { at: iso(), record, details };
    task.journal.push(entry);
    Object.assign(task, { updated_at: entry.at, sequence: (this.sequence += 1) });
    this.send("record", { sequence: this.sequence, task: task.id, number: task.journal.length, attempt: task.attempt, entry }, this.sequence);
  }

  end(task, kind, summary, causes = [], remedy = null) {
    Object.assign(task, { phase: "ended", status: kind, message: summary, outcome: { kind, summary, causes, remedy } });
    if (kind === "completed") task.progress = 100;
    this.write(task, "ended", { outcome: kind, summary });
  }

  tick() {
    for (const task of this.tasks.values()) {
      if (task.outcome) continue;
      this.step(task);
      const { attempt, progress, sample } = task;
      if (sample) task.past = [...(task.past ?? []), { at: iso(), attempt, progress, sample }].slice(-257);
    }
  }

  step(task) {
    const { made } = task;
    const { domain } = made;
    const verdict = this.verdict(domain, task.destination);
    switch (task.phase) {
      case "accepted":
        if (this.running().length >= this.slots) {
          task.waits = true;
          return Object.assign(task, { status: "queued", message: `waiting for a slot: number ${this.place(task)}; ${this.running().length} of ${this.slots} run` });
        }
        Object.assign(task, { waits: false, status: "running" });
        task.decisions = told.decisions.map((one) => ({ ...one, decided_at: iso() }));
        if (verdict.decision === "refused") {
          const blockers = verdict.findings.filter((one) => one.weight === "blocker");
          return this.end(task, "refused", `${domain.name} was not touched: ${blockers[0].message}`, blockers.map((one) => one.message), blockers[0].remedy);
        }
        Object.assign(task, { phase: "planned", target_uri: `qemu+tls://${task.destination}.example/system`, message: `the migration of ${domain.name} to ${task.destination} is made ready` });
        return this.write(task, "planned", { plan: {} });
      case "planned":
        task.phase = "prepared";
        return this.write(task, "prepared");
      case "prepared":
        Object.assign(task, { phase: "performing", message: `${domain.name} is moving to ${task.destination}` });
        return this.write(task, "perform-intended");
      case "performing":
        return this.transfer(task);
      case "finishing":
        domain.host = task.destination;
        task.sample = { ...task.sample, stage: "final", downtime_ms: 38, remaining_bytes: 0 };
        return this.end(task, "completed", `${domain.name} is running on ${task.destination} (downtime 38 ms)`);
    }
  }

  running() {
    return [...this.tasks.values()].filter((task) => !task.outcome && task.phase !== "accepted");
  }

  /** Its place among those that wait. */
  place(task) {
    const waiting = [...this.tasks.values()].filter((one) => one.waits && !one.outcome);
    return waiting.includes(task) ? waiting.indexOf(task) + 1 : null;
  }

  transfer(task) {
    const { made } = task;
    if (task.cancel_requested && !made.post) {
      return this.end(task, "cancelled", `${task.domain} is running on ${task.source}, and nothing of this migration is left on ${task.destination}`);
    }
    const seconds = TICK_MS / 1000;
    const wobble = 0.9 + 0.2 * Math.random();
    const rate = Math.min(118 * MIB, (made.options.bandwidth_mib_s ?? 118) * MIB) * wobble;
    const speed = 1 - (made.throttle ?? 0) / 100;
    const dirty = made.post || made.suspended ? 0 : made.dirty * speed * (0.8 + 0.4 * Math.random());
    made.elapsed += TICK_MS;
    made.sent += rate * seconds;
    made.left -= rate * seconds;
    made.next = (made.next ?? 0) + dirty * seconds;
    const downtime = Math.round((Math.max(made.left, made.next) / rate) * 1000);
    if (made.left <= 0) {
      if (made.post || (made.next / rate) * 1000 < made.downtime) {
        task.phase = "finishing";
        task.progress = Math.max(task.progress, 99);
        return this.write(task, "perform-returned", { result: "moved" });
      }
      Object.assign(made, { left: Math.min(made.next, made.memory), next: 0, pass: made.pass + 1 });
    }
    task.progress = Math.max(task.progress, Math.min(990, Math.floor((1 - made.left / made.memory) * 960)) / 10);
    task.sample = {
      stage: made.post ? "post-copy" : "pre-copy", elapsed_ms: made.elapsed, total_bytes: made.memory, processed_bytes: Math.round(made.sent),
      remaining_bytes: Math.max(0, Math.round(made.left)), bytes_per_s: Math.round(rate), dirty_bytes_per_s: Math.round(dirty),
      iteration: made.pass, downtime_ms: downtime, remaining_ms: dirty < rate ? Math.round((made.left / (rate - dirty)) * 1000) : null,
      throttle_percent: made.throttle ?? null,
    };
    const { id, domain, source, destination, phase, attempt, progress, sample } = task;
    this.send("progress", { task: id, domain, source, destination, phase, attempt, progress, note: "", sample });
  }

  brief(task) {
    const { id, created_at, updated_at, domain, domain_id, source, destination, target_uri, status, phase, outcome, message, progress } = task;
    const place = this.place(task);
    const row = { id, created_at, updated_at, domain, domain_id, source, destination, target_uri, status, phase };
    return { ...row, outcome: outcome?.kind ?? null, place, message, progress };
  }

  status(task) {
    const { made: _, journal: __, decisions: ___, past: ____, waits: _____, ...status } = task;
    const { made } = task;
    const stream = (task.phase === "performing" && task.sample?.stage === "pre-copy" && made?.options.stream) || {};
    const least_throttle_percent = stream.auto_converge ? Math.max(20, stream.auto_converge_initial ?? 0) : null;
    return { ...status, may_post_copy: !!stream.post_copy, least_throttle_percent };
  }

  // What rules say: recorded from the program, by domain and destination.

  verdict(domain, destination) {
    const findings = told.findings.filter(
      (one) => (!one.domains || one.domains.includes(domain.name)) && (!one.to || one.to.includes(destination)),
    );
    const blocked = findings.some((one) => one.finding.weight === "blocker");
    return { destination, decision: blocked ? "refused" : "allowed", findings: findings.map((one) => one.finding), plan: null, plan_error: null };
  }

  check(domain, to) {
    const others = to.length ? to : this.hosts.map((host) => host.name).filter((name) => name !== domain.host);
    return {
      domain: domain.name, id: domain.id, state: domain.state, source: domain.host, taken_at: iso(), facts_digest: "0".repeat(64),
      verdicts: others.map((host) => this.verdict(domain, host)), decisions: [],
    };
  }

  // Routes.

  async answer(request, response) {
    const url = new URL(request.url, "http://localhost");
    const body = await new Promise((resolve) => {
      let text = "";
      request.on("data", (piece) => (text += piece)).on("end", () => resolve(text));
    });
    if (this.down) return request.socket.destroy();
    if (this.elsewhere(request, response)) return;
    if (request.headers["waypost-reason"]) this.reasons.push(Buffer.from(request.headers["waypost-reason"], "latin1").toString());
    const asks = this.asks(request);
    if (!asks) {
      const wrong = request.headers.authorization !== undefined;
      return reply(response, wrong ? problem(401, "bad-token", "this token is not known here") : problem(401, "no-caller", "nothing says who asks"));
    }
    const path = url.pathname.replace(/^.*\/api\/v1\//, "");
    if (path === "session") return reply(response, this.session(request.method, asks));
    if (path === "events") return this.listen(request, response);
    const read = body && (request.headers["content-type"] ?? "").includes("json") ? JSON.parse(body) : null;
    const answer = this.route(request.method, path, url.searchParams, read, request.headers);
    // As long as a host takes to answer.
    setTimeout(() => reply(response, answer), path.startsWith("check") || path.startsWith("dry") ? 250 / this.pace : 5);
  }

  /** Pages of other origins, told as the program tells them; answers whether there is no more to be said. */
  elsewhere(request, response) {
    const { origin, host } = request.headers;
    if (!origin || origin === `http://${host}`) return false;
    const listed = this.origins.includes(origin);
    response.setHeader("Vary", "Origin");
    if (listed) {
      response.setHeader("Access-Control-Allow-Origin", origin);
      response.setHeader("Access-Control-Expose-Headers", "ETag, Location, Retry-After, RateLimit, RateLimit-Policy");
      delete request.headers.cookie;
    }
    const beforehand = request.method === "OPTIONS" && request.headers["access-control-request-method"];
    if (beforehand) this.preflights.push(origin);
    if (beforehand && listed) {
      const sent = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Waypost-Reason";
      response.writeHead(204, { "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE", "Access-Control-Allow-Headers": sent });
      response.end();
      return true;
    }
    if (listed || request.method === "GET") return false;
    reply(response, problem(403, "other-origin", "the origin of this page is not listed"));
    return true;
  }

  session(method, { session, cookie }) {
    const who = (begun) => ({ ...this.who, session: begun });
    if (method === "GET") return { status: 200, body: who(session) };
    this.sessions.delete(cookie);
    const set = (value, seconds) => ({ "Set-Cookie": `session=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict` });
    if (method === "DELETE") return { status: 204, headers: set("", 0) };
    const secret = hex(16);
    this.sessions.add(secret);
    return { status: 201, body: who(true), headers: set(secret, 3600) };
  }

  route(method, path, query, body, headers) {
    const ok = (document) => ({ status: 200, body: document });
    const of = (key) => this.domains.find((one) => one.id === key || one.name === key);
    const [, id, verb] = /^tasks\/([^/]+)(?:\/(.+))?$/.exec(path) ?? [];
    if (id) {
      const task = this.tasks.get(decodeURIComponent(id));
      return task ? this.task(task, method, verb, body) : problem(404, "no-such-task", `there is no task ${id}`);
    }
    const [, policy, about] = /^plugins\/([^/]+)(?:\/(.+))?$/.exec(path) ?? [];
    if (policy) return this.policy(decodeURIComponent(policy), method, about ?? "", query, body, headers);
    switch (`${method} ${path}`) {
      case "GET system/version":
        return ok({ name: "waypost", version: "0.0.0", api: "v1" });
      case "GET hosts":
        return ok({ hosts: this.hosts.map((host) => this.counted(host)) });
      case "GET domains":
        return ok({ domains: this.reached(), unread: this.hosts.filter((host) => host.error) });
      case "GET readiness":
        return ok({
          rows: this.reached().map((domain) => ({ domain, verdicts: this.check(domain, []).verdicts.filter((one) => !this.hosts.find((host) => host.name === one.destination).error) })),
          unread: this.hosts.filter((host) => host.error).map((host) => ({ host: host.name, error: host.error })),
        });
      case "GET plugins":
        return ok({ ...told.plugins, plugins: [...this.policies.values()].map((one) => this.listed(one)) });
      case "GET decisions": {
        const all = [...this.tasks.values()].flatMap((task) => task.decisions.map((decision) => ({ task, decision })));
        const found = all.filter(({ decision }) => decision.plugin === query.get("plugin"));
        found.sort((a, b) => (a.decision.decided_at < b.decision.decided_at ? 1 : -1));
        const page = found.slice(0, Number(query.get("limit") ?? 100));
        const decisions = page.map(({ task, decision }, index) => ({
          sequence: found.length - index, task: task.id, domain: task.domain, verdict: decision.fault ? "failed" : "answered", decision,
        }));
        return ok({ decisions, next: null });
      }
      case "POST checks": {
        const domain = of(body.domain);
        return domain ? ok(this.check(domain, body.to ?? [])) : problem(404, "no-such-domain", `no host has a domain ${body.domain}`);
      }
      case "POST dry-runs": {
        const domain = of(body.domain);
        if (!domain) return problem(404, "no-such-domain", `no host has a domain ${body.domain}`);
        const check = this.check(domain, [body.to]);
        if (check.verdicts[0].decision === "refused") return ok({ plan: null, choices: [], plan_error: null, prediction: null, writing: null, touched: "", check });
        return ok({ ...told.dry_run, ...this.dryRun, check });
      }
      case "POST tasks": {
        const key = headers["idempotency-key"];
        const before = key && this.keys.get(key);
        if (before) return { status: 202, body: this.status(this.tasks.get(before)) };
        const made = this.make(body);
        if (key && made.body.id) this.keys.set(key, made.body.id);
        return made;
      }
      case "GET tasks": {
        const states = query.get("state")?.split(",") ?? [];
        const [domain, host] = [query.get("domain"), query.get("host")];
        const limit = Number(query.get("limit") ?? 100);
        const all = [...this.tasks.values()]
          .filter((task) => !states.length || states.includes(task.outcome?.kind ?? "unfinished") || states.includes(task.phase))
          .filter((task) => !domain || task.domain === domain || task.domain_id === domain)
          .filter((task) => !host || task.source === host || task.destination === host)
          .sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
        const from = Number(query.get("cursor") ?? 0);
        const page = all.slice(from, from + limit);
        const next = all.length > from + limit ? String(from + limit) : null;
        return ok({ tasks: page.map((task) => this.brief(task)), next });
      }
    }
    return problem(404, "no-such-route", `there is nothing at ${path}`);
  }

  // Policies: whatever is uploaded is one, and settings are refused that have a key `wrong`.

  listed({ plugin, by, version = 0 }) {
    const more = { enabled: plugin.state !== "ignored", switched_by: null, settings_by: by, uploaded: false, size: 1, version: null, settings_schema: null };
    return { ...more, ...plugin, etag: plugin.file ? `"${plugin.name}-${version}"` : null };
  }

  /** Settings that somebody else makes. */
  meddle(name, settings) {
    Object.assign(this.policies.get(name), { settings, by: "service" });
  }

  policy(name, method, about, query, body, headers) {
    const known = this.policies.get(name);
    const tagged = (status, document, tag) => ({ status, body: document, headers: { ETag: tag } });
    const shown = (status) => tagged(status, this.listed(this.policies.get(name)), this.listed(this.policies.get(name)).etag);
    const stale = (tag) => headers["if-match"] && headers["if-match"] !== "*" && headers["if-match"] !== tag;
    const changed = () => problem(412, "changed-meanwhile", `${name} is not what it was`, { remedy: "GET it again" });
    if (!known && !(method === "PUT" && !about)) return problem(404, "no-such-plugin", `there is no policy ${name}`);
    const sees = this.who.permissions.includes("change-policies");
    const of = () => ({
      plugin: name,
      settings: sees ? known.settings : null,
      keys: Object.keys(known.settings).sort(),
      by: known.by,
      configured: null,
      schema: null,
    });
    const tag = () => `"${JSON.stringify(known.settings).replaceAll('"', "'")}"`;
    switch (`${method} ${about}`) {
      case "PUT ": {
        if (known ? headers["if-none-match"] || stale(this.listed(known).etag) : headers["if-match"]) return changed();
        const state = query.get("enabled") === "false" ? "ignored" : "ready";
        const file = `/var/lib/waypost/plugins/${name}.wasm`;
        const plugin = { ...(known?.plugin ?? told.plugins.plugins[0]), name, file, state, uploaded: true, hooks: ["precheck"], grants: [] };
        this.policies.set(name, { settings: {}, by: null, ...known, plugin, version: (known?.version ?? 0) + 1 });
        return shown(known ? 200 : 201);
      }
      case "DELETE ":
        if (stale(this.listed(known).etag)) return changed();
        this.policies.delete(name);
        return { status: 204, body: null };
      case "POST enable":
      case "POST disable": {
        const off = about === "disable";
        Object.assign(known.plugin, { state: off ? "ignored" : "ready", enabled: !off, switched_by: off ? "service" : null });
        known.version = (known.version ?? 0) + 1;
        return shown(200);
      }
      case "GET settings":
        return sees ? tagged(200, of(), tag()) : { status: 200, body: of() };
      case "PUT settings":
        if (stale(tag())) return changed();
        if ("wrong" in body) return problem(422, "settings-refused", `${name} refuses its settings: unknown field \`wrong\``, { remedy: "correct them" });
        Object.assign(known, { settings: body, by: "service" });
        return tagged(200, of(), tag());
      case "DELETE settings":
        Object.assign(known, { settings: {}, by: null });
        return tagged(200, of(), tag());
    }
    return problem(405, "wrong-method", "this path has no such method");
  }

  task(task, method, verb, body) {
    const taken = () => ({ status: 202, body: this.status(task) });
    switch (`${method} ${verb ?? ""}`) {
      case "GET ":
        return { status: 200, body: this.status(task) };
      case "GET records":
        return { status: 200, body: { id: task.id, phase: task.phase, attempt: task.attempt, outcome: task.outcome, journal: task.journal, decisions: task.decisions } };
      case "GET samples":
        return { status: 200, body: { task: task.id, samples: task.past ?? [] } };
      case "GET situation":
        return { status: 200, body: { ...told.situation, ...this.situation, task: task.id } };
      case "POST actions":
        this.acted.push(body);
        return taken();
      case "POST retry":
        return this.make({ domain: task.domain, to: task.destination });
      case "POST cancel":
        if (task.outcome) return problem(409, "task-over", `task ${task.id} is over: ${task.outcome.kind}`);
        task.cancel_requested = true;
        this.write(task, "cancel-requested", { requester: "you" });
        return taken();
      case "POST steer":
        if (task.phase !== "performing") return problem(409, "not-steerable", "there is no running transfer");
        if (body.post_copy && !task.made.options.stream?.post_copy) {
          return problem(409, "not-steerable", "the migration was not begun with post-copy", { remedy: "allow post-copy when it is begun" });
        }
        if (body.throttle_percent && !task.made.options.stream?.auto_converge) {
          return problem(409, "not-steerable", "the migration was not begun with auto-converge", { remedy: "allow auto-converge when it is begun" });
        }
        if (body.throttle_percent) task.made.throttle = body.throttle_percent;
        if (body.post_copy) task.made.post = true;
        if (body.suspend) task.made.suspended = true;
        if (body.max_downtime_ms) task.made.downtime = body.max_downtime_ms;
        if (body.bandwidth_mib_s) task.made.options = { ...task.made.options, bandwidth_mib_s: body.bandwidth_mib_s };
        this.write(task, "steer-intended", { action: Object.keys(body)[0], by: "you" });
        return taken();
    }
    return problem(405, "wrong-method", "this path has no such method");
  }

  reached() {
    const reached = new Set(this.hosts.filter((host) => !host.error).map((host) => host.name));
    return this.domains.filter((domain) => reached.has(domain.host));
  }

  counted(host) {
    if (host.error) return host;
    const here = this.domains.filter((domain) => domain.host === host.name);
    return { ...host, domains: here.length, active_domains: here.filter((domain) => domain.state !== "shut-off").length };
  }

  // Events.

  listen(request, response) {
    const after = request.headers["last-event-id"];
    if (after !== undefined && Number(after) > this.sequence) {
      return reply(response, problem(409, "unknown-event", `event ${after} was never sent; the last one is ${this.sequence}`));
    }
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(": waypost\n\n");
    this.resumedAfter = after === undefined ? null : Number(after);
    if (after !== undefined) for (const { id, text } of this.log) if (id > Number(after)) response.write(text);
    this.streams.add(response);
    response.on("close", () => this.streams.delete(response));
  }

  send(kind, data, id = null) {
    const text = `${id === null ? "" : `id: ${id}\n`}event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
    if (id !== null) this.log.push({ id, text });
    for (const stream of this.streams) stream.write(text);
  }
}

function reply(response, { status, body, headers = {} }) {
  const type = body ? { "Content-Type": status < 400 ? "application/json" : "application/problem+json" } : {};
  response.writeHead(status, { ...type, ...headers });
  response.end(body && JSON.stringify(body));
}
