// Looks at the page in Cockpit as a browser shows it, against the service behind it: hosts and domains; a migration that another
// client begins, which only the stream of events can tell the page of; one that is begun on the page.

import assert from "node:assert/strict";
import { request } from "node:http";
import { userInfo } from "node:os";

// The pages' own tests bring it.
import { browse, flaws } from "../../host/service/web/test/browser.mjs";

const [page, socketPath, picture] = process.argv.slice(2);

/** Asks the service as another client does. */
const ask = (method, path, document) =>
  new Promise((resolve, reject) => {
    const going = request({ socketPath, method, path: `/api/v1${path}`, headers: { "Content-Type": "application/json" } }, (answer) => {
      let text = "";
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => resolve(JSON.parse(text)));
    });
    going.on("error", reject);
    going.end(document && JSON.stringify(document));
  });

/** How a task ended, by the service. */
async function ended(id) {
  for (let since = 0; ; ) {
    const task = await ask("GET", `/tasks/${id}?since=${since}&wait=60`);
    if (task.outcome) return task;
    since = task.sequence;
  }
}

const browser = await browse();
const tab = await browser.newPage({ viewport: { width: 1280, height: 900 } });
tab.setDefaultTimeout(30_000);
try {
  const complaints = [];
  tab.on("pageerror", (error) => complaints.push(String(error)));
  tab.on("console", (message) => {
    const { url } = message.location();
    // Cockpit's own, where its shell is not installed.
    if (message.type() === "error" && !url.endsWith("/favicon.ico")) complaints.push(`${message.text()} (${url})`);
  });
  const dialog = tab.locator("waypost-dialog");
  const exact = (name) => ({ name, exact: true });

  await tab.goto(page);
  for (const host of ["kvm1", "kvm2"]) await tab.getByRole("region", exact(`Host ${host}`)).waitFor();
  await tab.locator("li.domain").filter({ hasText: "web1" }).waitFor();
  await tab.getByText("Live", { exact: true }).waitFor();
  // Cockpit's bridge runs as whoever is logged in there, and the socket tells the service who that is.
  const me = await ask("GET", "/session");
  assert.equal(me.name, userInfo().username);
  await tab.getByText(me.name, { exact: true }).waitFor();
  console.log(`the page shows the hosts and the domain to ${me.name}`);

  const theirs = await ask("POST", "/tasks", { domain: "web1", to: "kvm2" });
  const line = tab.locator(`a[href$="${theirs.id}"]`).first();
  await line.waitFor();
  await line.click();
  await tab.getByRole("heading", exact("web1 Moving")).waitFor();
  await tab.locator("waypost-plot canvas").first().waitFor();
  if (picture) await tab.screenshot({ path: picture });
  await tab.getByRole("heading", exact("web1 Completed")).waitFor();
  const there = await ended(theirs.id);
  await tab.getByText(there.message, { exact: true }).first().waitFor();
  console.log(`a migration that another client began, watched to its end: ${there.message}`);

  await tab.getByRole("link", { name: /^Hosts/ }).click();
  await tab.getByRole("button", exact("Move web1")).click();
  await tab.getByRole("button", { name: /^Move web1 to kvm1: Allowed/ }).click();
  await dialog.getByRole("button", exact("Move to kvm1")).click();
  await tab.getByRole("link", exact("Watch it")).click();
  const own = tab.url().split("/").at(-1);
  await tab.getByRole("heading", exact("web1 Completed")).waitFor();
  const back = await ended(own);
  assert.deepEqual([back.domain, back.destination, back.status, back.requested_by], ["web1", "kvm1", "completed", me.name]);
  await tab.getByText(back.message, { exact: true }).first().waitFor();
  console.log(`one that was begun on the page, for ${back.requested_by}: ${back.message}`);

  assert.deepEqual(await flaws(tab), []);
  assert.deepEqual(complaints, []);
} catch (error) {
  if (picture) await tab.screenshot({ path: picture });
  console.error(await tab.locator("waypost-dashboard main").innerText());
  throw error;
} finally {
  await browser.close();
}
