// What the service's words are called here, and how they are marked. A word that is not known is shown as it is: lists of
// words may grow, and a page of yesterday must not hide what is new.

/** How something is marked: always with an icon and its word beside the colour. */
export type Tone = "idle" | "busy" | "good" | "note" | "warn" | "bad" | "dead";

export interface Mark {
  label: string;
  tone: Tone;
  icon: string;
}

const STANDINGS: Record<string, Mark> = {
  queued: { label: "Queued", tone: "idle", icon: "clock" },
  preparing: { label: "Preparing", tone: "busy", icon: "dots" },
  moving: { label: "Moving", tone: "busy", icon: "arrow" },
  "post-copy": { label: "Moving, post-copy", tone: "busy", icon: "arrow" },
  finishing: { label: "Verifying", tone: "busy", icon: "dots" },
  cancelling: { label: "Cancelling", tone: "warn", icon: "stop" },
  recovering: { label: "Recovering", tone: "warn", icon: "search" },
  completed: { label: "Completed", tone: "good", icon: "check" },
  refused: { label: "Refused", tone: "note", icon: "bar" },
  "rolled-back": { label: "Rolled back", tone: "warn", icon: "back" },
  cancelled: { label: "Cancelled", tone: "idle", icon: "stop" },
  stuck: { label: "Stuck", tone: "bad", icon: "alert" },
  lost: { label: "Lost", tone: "dead", icon: "cross" },
};

export function standingMark(word: string): Mark {
  return STANDINGS[word] ?? { label: word, tone: "idle", icon: "dots" };
}

/** A place in the queue; `all` is how many wait, where that is known. */
export function placeSays(place: number | null, all: number | null): string {
  if (place === null) return "";
  return all === null ? `place ${place}` : `place ${place} of ${Math.max(place, all)}`;
}

const PLUGIN_STATES: Record<string, Mark> = {
  ready: { label: "Ready", tone: "good", icon: "check" },
  "last-good": { label: "Last good version", tone: "warn", icon: "alert" },
  broken: { label: "Broken", tone: "bad", icon: "cross" },
  "settings-refused": { label: "Settings refused", tone: "bad", icon: "bar" },
  missing: { label: "Missing", tone: "bad", icon: "search" },
  ignored: { label: "Not used", tone: "idle", icon: "stop" },
};

export function pluginMark(word: string): Mark {
  return PLUGIN_STATES[word] ?? { label: word, tone: "idle", icon: "dots" };
}

const WEIGHTS: Record<string, Mark> = {
  blocker: { label: "Blocker", tone: "bad", icon: "bar" },
  warning: { label: "Warning", tone: "warn", icon: "alert" },
  info: { label: "Note", tone: "idle", icon: "info" },
};

export function weightMark(word: string): Mark {
  return WEIGHTS[word] ?? { label: word, tone: "idle", icon: "info" };
}

const DOMAIN_STATES: Record<string, Tone> = {
  running: "good",
  paused: "warn",
  "shut-off": "idle",
  crashed: "bad",
  suspended: "warn",
  "shutting-down": "warn",
  blocked: "good",
};

export function domainTone(state: string): Tone {
  return DOMAIN_STATES[state] ?? "idle";
}

const ACTIONS: Record<string, { label: string; says: string }> = {
  wait: { label: "Look again later", says: "Nothing is done now." },
  "abort-job": { label: "Abort the job", says: "libvirt is asked to abort the job that runs on either host." },
  "resume-source": { label: "Resume on the source", says: "The source's copy runs again." },
  "resume-destination": { label: "Resume on the destination", says: "The destination's copy runs." },
  "destroy-destination": {
    label: "End the destination's copy",
    says: "The copy on the destination, which never ran, is destroyed.",
  },
  "undefine-destination": {
    label: "Remove the definition on the destination",
    says: "The definition that this migration left on the destination is removed.",
  },
  "destroy-source": {
    label: "End the source's copy",
    says: "The paused copy on the source, which the running destination has overtaken, is destroyed.",
  },
  "resume-post-copy": { label: "Resume post-copy", says: "The two halves of the interrupted post-copy are joined again." },
  "interrupt-post-copy": {
    label: "Interrupt post-copy",
    says: "The post-copy is interrupted on the source, which has not noticed that nothing comes through.",
  },
  "try-again": { label: "Try again", says: "What this attempt made ready is undone, and another attempt begins." },
  "accept-source": { label: "Accept: it is on the source", says: "The task is finished; the domain is on the source." },
  "accept-destination": {
    label: "Accept: it is on the destination",
    says: "The task is finished; the domain is on the destination.",
  },
  "hand-over": { label: "Leave it to a person", says: "The task ends as stuck." },
  "declare-lost": {
    label: "Declare it lost",
    says: "The task ends as lost: no copy runs and none can be continued.",
  },
};

export function action(word: string): { label: string; says: string } {
  return ACTIONS[word] ?? { label: word, says: "" };
}

const HOOKS: Record<string, string> = {
  precheck: "may it move",
  transform: "edits on the way",
  convergence: "how hard to push",
  recovery: "what after a failure",
  placement: "where to",
};

/** What a hook asks. */
export function hookSays(hook: string): string {
  return HOOKS[hook] ?? "";
}

/** `perform-intended` as `perform intended`. */
export function plain(word: string): string {
  return word.replaceAll("-", " ");
}
