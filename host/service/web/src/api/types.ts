// The documents of /api/v1, as far as the pages read them. The names are those of `host/api/src/v1`; what is null there is
// null here, units are in the names. Lists of words may grow, so words are strings.

export interface Slots {
  used: number;
  limit: number;
}

export interface Host {
  name: string;
  error: string | null;
  hostname: string | null;
  uuid: string | null;
  uri: string | null;
  peer_uri: string | null;
  hypervisor: string | null;
  hypervisor_version: string | null;
  libvirt_version: string | null;
  architecture: string | null;
  cpus: number | null;
  memory_kib: number | null;
  free_memory_kib: number | null;
  /** vCPUs of its active domains. */
  vcpus: number | null;
  cpu_busy_permille: number | null;
  outgoing: Slots | null;
  incoming: Slots | null;
  active_domains: number | null;
  domains: number | null;
}

export interface Domain {
  host: string;
  name: string;
  id: string;
  state: string;
  persistent: boolean;
}

export interface Domains {
  domains: Domain[];
  unread: Host[];
}

export interface Evidence {
  name: string;
  value: string;
}

export interface Finding {
  code: string;
  severity: string;
  /** The weight that counts: `info`, `warning`, `blocker`. */
  weight: string;
  message: string;
  evidence: Evidence[];
  remedy: string | null;
  plugin: string;
  mode: string;
}

export interface Verdict {
  destination: string;
  /** `allowed` or `refused`. */
  decision: string;
  findings: Finding[];
  plan?: Plan | null;
  plan_error?: string | null;
}

export interface PlanEnd {
  host: string;
  uuid: string | null;
}

export interface Plan {
  attempt: number;
  domain: string;
  destination_name: string;
  source: PlanEnd;
  destination: PlanEnd;
  mode: string;
  network: string | null;
  transport: string;
  bandwidth_mib_s: number | null;
  max_downtime_ms: number | null;
  timeout_s: number;
  memory_bytes: number | null;
  stream: Record<string, unknown>;
  notes: string[];
}

export interface Decision {
  plugin: string;
  digest: string;
  hook: string;
  mode: string;
  /** Null for whoever may not change policies. */
  settings: string | null;
  facts_digest: string;
  facts_read: string[];
  answer: string;
  fault: string | null;
  fuel: number;
  micros: number;
  decided_at: string;
}

export interface Check {
  domain: string;
  id: string;
  state: string;
  source: string;
  taken_at: string;
  verdicts: Verdict[];
  decisions: Decision[];
}

export interface Choice {
  choice: string;
  words: string;
  from: string;
}

export interface Prediction {
  dirty_bytes_per_s: number;
  bandwidth_bytes_per_s: number;
  /** `limit`, `network`, `earlier-transfers`. */
  bandwidth_from?: string;
  converges: boolean;
  total_ms: number | null;
  downtime_ms: number | null;
}

/** What was measured of a guest before its transfer. */
export interface Writing {
  dirty_bytes_per_s: number;
  /** Over a network that carries more, the transfer comes to an end by itself; 0: over any. */
  converges_above_bytes_per_s: number;
}

export interface DryRun {
  plan: Plan | null;
  choices: Choice[];
  plan_error: string | null;
  prediction: Prediction | null;
  /** Also where no bandwidth is known. */
  writing?: Writing | null;
  /** What follows on "nothing was touched": empty, or what a storage probe made. */
  touched?: string;
  check: Check;
}

export interface Outcome {
  kind: string;
  summary: string;
  causes: string[];
  remedy: string | null;
}

/** One reading of a transfer. */
export interface Sample {
  /** `disks` (nothing of the memory yet), `pre-copy`, `post-copy`, `final`. */
  stage: string;
  elapsed_ms: number;
  total_bytes: number;
  processed_bytes: number;
  remaining_bytes: number;
  bytes_per_s: number | null;
  dirty_bytes_per_s: number | null;
  iteration: number | null;
  downtime_ms: number | null;
  remaining_ms: number | null;
  throttle_percent: number | null;
}

export interface TaskBrief {
  id: string;
  created_at: string;
  updated_at: string;
  domain: string;
  domain_id: string | null;
  source: string | null;
  destination: string;
  target_uri: string | null;
  status: string;
  phase: string;
  outcome: string | null;
  /** In the queue, from 1; null where it does not wait. */
  place: number | null;
  message: string;
  /** Percent, 0 to 100, to the tenth. */
  progress: number;
}

export interface TaskPage {
  tasks: TaskBrief[];
  next: string | null;
}

export interface TaskStatus {
  id: string;
  status: string;
  message: string;
  /** Percent, 0 to 100, to the tenth. */
  progress: number;
  phase: string;
  attempt: number;
  domain: string;
  domain_id: string | null;
  source: string | null;
  destination: string;
  target_uri: string | null;
  requested_by: string;
  cancel_requested: boolean;
  /** Whether it may be switched to post-copy now. An order that comes before memory travels is kept until some does. */
  may_post_copy: boolean;
  /** The least by which its guest may be slowed down by order right now, percent; null where it may not. */
  least_throttle_percent: number | null;
  created_at: string;
  updated_at: string;
  outcome: Outcome | null;
  sample: Sample | null;
  sequence: number;
}

export interface Entry {
  at: string;
  record: string;
  details: Record<string, unknown>;
}

/** A task with everything that is on record. */
/** Past readings of a task's transfers, oldest first. */
export interface Samples {
  task: string;
  samples: PastSample[];
}

export interface PastSample {
  at: string;
  attempt: number;
  /** Percent, 0 to 100, to the tenth. */
  progress: number;
  sample: Sample;
}

/** Decision records over all tasks, newest first. */
export interface DecisionPage {
  decisions: TaskDecision[];
  next: string | null;
}

export interface TaskDecision {
  sequence: number;
  task: string;
  domain: string;
  /** `answered`, `blocked`, `failed`. */
  verdict: string;
  decision: Decision;
}

export interface TaskRecords {
  id: string;
  phase: string;
  attempt: number;
  outcome: Outcome | null;
  journal: Entry[];
  decisions: Decision[];
}

export type Side =
  | { domain: "unknown"; why: string }
  | { domain: "absent" }
  | {
      domain: "present";
      name: string;
      state: string;
      reason: string;
      persistent: boolean;
      autostart: boolean;
      job: boolean;
      /** Disks for which an I/O error stopped it, each with what is wrong: `vda: no space`. */
      disk_errors?: string[];
    };

export interface Situation {
  task: string;
  source: Side;
  destination: Side;
  permitted: string[];
  /** Over which `resume-post-copy` may go, the next in turn first; empty where there is no choice. */
  networks: string[];
  withheld: { action: string; why: string }[];
  why: string;
}

export interface Plugin {
  name: string;
  file: string | null;
  digest: string | null;
  hooks: string[];
  imports: string[];
  built_as: string | null;
  state: string;
  reason: string | null;
  remedy: string | null;
  mode: string | null;
  grants: string[];
  enabled: boolean;
  /** `configuration`, `service`; null where nobody said whether it is asked. */
  switched_by: string | null;
  settings_by: string | null;
  uploaded: boolean;
  version: string | null;
  settings_schema: Record<string, unknown> | null;
  etag: string | null;
}

export interface PluginSettings {
  plugin: string;
  /** Null for whoever may not change policies. */
  settings: Record<string, unknown> | null;
  keys: string[];
  /** `configuration`, `service`; null where nobody made any. */
  by: string | null;
  configured: Record<string, unknown> | null;
  schema: Record<string, unknown> | null;
}

export interface Plugins {
  plugins: Plugin[];
  folders: string[];
  cache_error: string | null;
}

export interface ReadinessRow {
  domain: Domain;
  verdicts: Verdict[];
}

export interface Readiness {
  rows: ReadinessRow[];
  unread: { host: string; error: string }[];
}

export interface QueueEntry {
  task: string;
  asked_at: string;
  priority: string;
  source: string;
  destination: string;
  network: string | null;
  holds: boolean;
  waits: string | null;
}

export interface Queue {
  outgoing_per_host: number;
  incoming_per_host: number;
  networks: { network: string; most: number }[];
  entries: QueueEntry[];
}

/** Who the viewer is to the service. */
export interface Whoami {
  name: string;
  role: string;
  /** What the roles permit somewhere: `look`, `move`, `change-policies`, `audit`. */
  permissions: string[];
  /** Each role with how far it reaches, the strongest first. */
  grants: Granted[];
  /** A cookie says so, so that one can log out. */
  session: boolean;
}

/** A role, and how far it reaches. */
export interface Granted {
  role: string;
  permissions: string[];
  /** Empty: all. */
  hosts: string[];
  /** Patterns, or whole UUIDs; empty: all. */
  domains: string[];
}

export interface Version {
  name: string;
  version: string;
  api: string;
}

/** What is asked for. What is left out is the site's or libvirt's default. */
export interface NewTask {
  domain: string;
  from?: string;
  to: string;
  options?: Options;
}

export interface Options {
  max_downtime_ms?: number;
  bandwidth_mib_s?: number;
  priority?: string;
  stream?: { post_copy?: boolean; auto_converge?: boolean };
}

export interface Steer {
  max_downtime_ms?: number;
  bandwidth_mib_s?: number;
  throttle_percent?: number;
  post_copy?: boolean;
  suspend?: boolean;
}

/** Event `record`. */
export interface RecordEvent {
  sequence: number;
  task: string;
  number: number;
  attempt: number;
  entry: Entry;
}

/** Event `progress`. */
export interface Progress {
  task: string;
  domain: string;
  source: string | null;
  destination: string;
  phase: string;
  attempt: number;
  /** Percent, 0 to 100, to the tenth. */
  progress: number;
  note: string;
  sample: Sample | null;
}
