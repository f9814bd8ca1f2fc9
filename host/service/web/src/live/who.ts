// What the viewer may do here, as the service says it. The pages offer nothing else; the service has the last word all the same.

import type { Whoami } from "../api/types";
import type { Task } from "./tasks";

/** Whether the role permits that: `look`, `move`, `change-policies`, `audit`. Of whom nothing is known yet it permits nothing. */
export function may(who: Whoami | null, permission: string): boolean {
  return who?.permissions.includes(permission) ?? false;
}

/** Whether a task may be changed. What is shown of domains is within reach; of hosts both must be. */
export function commands(who: Whoami | null, task: Pick<Task, "source" | "destination">): boolean {
  if (!who || !may(who, "move")) return false;
  const within = (host: string | null) => host !== null && who.hosts.includes(host);
  return !who.hosts.length || (within(task.source) && within(task.destination));
}

/** Whether everything that the service has is shown to the viewer. */
export function seesAll(who: Whoami | null): boolean {
  return who !== null && !who.hosts.length && !who.domains.length;
}

/** Role and reach in a line. */
export function standingOf(who: Whoami): string {
  const parts = [who.role];
  if (who.hosts.length) parts.push(`hosts ${who.hosts.join(", ")}`);
  if (who.domains.length) parts.push(`domains ${who.domains.join(", ")}`);
  return parts.join(" · ");
}
