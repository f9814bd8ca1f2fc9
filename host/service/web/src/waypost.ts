// Everything that the module gives: the elements, defined when it is loaded, and what a page may need to set them up.

export { Client, Problem } from "./api/client";
export { WaypostDashboard } from "./dashboard/dashboard";
export { configure } from "./elements/base";
export { WaypostDecisions } from "./elements/decisions";
export { WaypostHosts } from "./elements/hosts";
export { WaypostMigration } from "./elements/migration";
export { WaypostMigrations } from "./elements/migrations";
export { WaypostPlugins } from "./elements/plugins";
export { WaypostReadiness } from "./elements/readiness";
