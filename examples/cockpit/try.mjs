// Looks at the page in Cockpit as a browser shows it: hosts and domains, and a migration that is begun elsewhere, as it goes.

import { request } from "node:http";
import { createRequire } from "node:module";

// The pages' own tests bring it.
const { chromium } = createRequire(new URL("../../host/service/web/package.json", import.meta.url))("playwright-core");

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

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const tab = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const errors = [];
  tab.on("pageerror", (error) => errors.push(String(error)));
  tab.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await tab.goto(page);
  for (const name of ["kvm1", "kvm2", "web1"]) await tab.getByText(name, { exact: true }).first().waitFor();
  console.log("the hosts and the domain are shown");
  const task = await ask("POST", "/tasks", { domain: "web1", to: "kvm2" });
  // Only the stream of events can tell the page of it.
  await tab.locator(`[href*="${task.id}"], [data-task="${task.id}"], [id*="${task.id}"]`).first().or(tab.getByText(/\d+(\.\d+)? ?%/).first()).first().waitFor();
  console.log("a migration that another client began is shown");
  if (picture) await tab.screenshot({ path: picture });
  const told = await ask("GET", `/tasks/${task.id}?wait=60`);
  console.log(told.message);
  if (errors.length) throw new Error(`the page complains: ${errors.join("; ")}`);
} finally {
  await browser.close();
}
