// Exchanges a token for a cookie, and goes on where somebody was led away from. The token is in a header of one request, never
// in a URL or in storage.

/**
 * Where to go on: the path in `return`, if it leads to a page of this origin, else the dashboard, at the place that stands behind
 * the `#` (the service leads here from `/`, and a browser takes what is behind the `#` along).
 */
export function goal(here) {
  const now = new URL(here);
  const home = new URL("./", now);
  if (now.hash.startsWith("#/")) home.hash = now.hash;
  const asked = now.searchParams.get("return");
  // Read as the browser would read it, and told in full: what looks like a path may name a host (`//`, `/\`), or come to do so.
  if (!asked?.startsWith("/") || !URL.canParse(asked, now)) return home.href;
  const there = new URL(asked, now);
  const ours = there.origin === now.origin && there.protocol === now.protocol && there.pathname !== now.pathname;
  return ours ? there.href : home.href;
}

const form = document.getElementById("login");
const token = document.getElementById("token");
const said = document.getElementById("said");
const button = form.querySelector("button");

document.getElementById("led").hidden = !new URL(location.href).searchParams.has("return");
try {
  // As the dashboard is looked at.
  document.documentElement.style.colorScheme = localStorage.getItem("waypost-theme") ?? "";
} catch {
  // A browser that keeps nothing shows what it prefers.
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  said.textContent = "";
  try {
    const answer = await fetch("api/v1/session", {
      method: "POST",
      headers: { Authorization: `Bearer ${token.value.trim()}` },
    });
    token.value = "";
    if (answer.ok) {
      location.replace(goal(location.href));
      return;
    }
    const problem = await answer.json().catch(() => ({}));
    const told = [problem.detail ?? `the service answers ${answer.status}`, problem.remedy].filter(Boolean).join("; ");
    said.textContent = told.charAt(0).toUpperCase() + told.slice(1);
  } catch {
    said.textContent = "The service does not answer.";
  }
  button.disabled = false;
  token.focus();
});
