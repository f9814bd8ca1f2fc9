// What the viewer may do here, as the service says it. The pages offer nothing else; the service has the last word all the same.

import type { Granted, Whoami } from "../api/types";
import type { Task } from "./tasks";

/** What of a task tells who may change it. */
type About = Pick<Task, "source" | "destination" | "domain" | "domainId">;

/** Whether a role permits that somewhere: `look`, `move`, `change-policies`, `audit`. Of whom nothing is known yet it permits nothing. */
export function may(who: Whoami | null, permission: string): boolean {
  return who?.permissions.includes(permission) ?? false;
}

/** Whether a task may be changed: a role that permits it reaches its domain and both its hosts. */
export function commands(who: Whoami | null, task: About): boolean {
  return (who?.grants ?? []).some((grant) => grant.permissions.includes("move") && reaches(grant, task));
}

/** Whether that is permitted for everything that the service has. */
export function mayEverywhere(who: Whoami | null, permission: string): boolean {
  const all = ({ permissions, hosts, domains }: Granted) => permissions.includes(permission) && !hosts.length && !domains.length;
  return (who?.grants ?? []).some(all);
}

/** Whether everything that the service has is shown to the viewer. */
export function seesAll(who: Whoami | null): boolean {
  return mayEverywhere(who, "look");
}

/** Roles and reach in a line. */
export function standingOf(who: Whoami): string {
  const standing = ({ role, hosts, domains }: Granted) => {
    const parts = [role];
    if (hosts.length) parts.push(`hosts ${hosts.join(", ")}`);
    if (domains.length) parts.push(`domains ${domains.join(", ")}`);
    return parts.join(" · ");
  };
  return who.grants.map(standing).join(", and ");
}

function reaches({ hosts, domains }: Granted, { source, destination, domain, domainId }: About): boolean {
  const within = (host: string | null) => !hosts.length || (host !== null && hosts.includes(host));
  const meant = (pattern: string) => fits(pattern, domain) || (domainId !== null && bare(pattern) === bare(domainId));
  return within(source) && within(destination) && (!domains.length || domains.some(meant));
}

function fits(pattern: string, name: string): boolean {
  const plain = pattern.replace(/[\\^$.+|()[\]{}/]/g, "\\$&");
  return new RegExp(`^${plain.replaceAll("*", ".*").replaceAll("?", ".")}$`, "su").test(name);
}

/** A UUID however it is written. */
function bare(id: string): string {
  return id.toLowerCase().replace(/^urn:uuid:|[{}-]/g, "");
}
