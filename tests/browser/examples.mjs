// The pages of the examples, opened in a browser: the static one behind a proxy that does what its comment has nginx do, over the service at
// URL, and the one of the program with users of its own. Each shows its hosts and a migration that runs, and no browser complains.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { Agent, request as send } from "node:https";
import { createInterface } from "node:readline";
import { browse } from "../../host/service/web/test/browser.mjs";

const { URL: url, OTTO, VERA, DOMAIN, TO, AXUM } = process.env;
/** The certificate was made for this run. */
const agent = new Agent({ rejectUnauthorized: false });
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:";

/** Asks the service as whoever has that token. */
function ask(method, path, token, body) {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${token}`, ...(body ? { "Content-Type": "application/json" } : {}) };
    const asked = send(`${url}/api/v1${path}`, { method, headers, agent }, async (answer) => {
      const text = (await answer.setEncoding("utf8").toArray()).join("");
      if (answer.statusCode >= 400) reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
      else resolve(text ? JSON.parse(text) : null);
    });
    asked.on("error", reject);
    asked.end(body && JSON.stringify(body));
  });
}

/** The static page, and everything below /waypost/ from the service with the token of a viewer. */
async function proxy() {
  const page = await readFile(new URL("../../examples/static-page/index.html", import.meta.url));
  const server = createServer((request, response) => {
    if (!request.url.startsWith("/waypost/")) {
      response.writeHead(request.url === "/" ? 200 : 404, { "Content-Type": "text/html", "Content-Security-Policy": POLICY });
      return response.end(request.url === "/" ? page : "");
    }
    const headers = { ...request.headers, host: new URL(url).host, authorization: `Bearer ${VERA}` };
    const onward = send(url + request.url.slice("/waypost".length), { method: request.method, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    // Who leaves a stream of events ends it behind us as well.
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { at: `http://127.0.0.1:${server.address().port}/`, close: () => (server.closeAllConnections(), server.close()) };
}

/** The program with users of its own; it says where it listens. */
async function program() {
  const child = spawn(AXUM, { env: { ...process.env, PORT: "0" }, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(child.stdout)) return { at: line.trim(), close: () => child.kill() };
  throw new Error(`${AXUM} says nothing`);
}

async function visit(browser, at, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const complaints = [];
  page.on("console", (message) => {
    // No page has an icon of its own.
    if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(at);
  return { page, complaints };
}

const browser = await browse();
const places = [];
let task = null;
try {
  task = (await ask("POST", "/tasks", OTTO, { domain: DOMAIN, to: TO, options: { bandwidth_mib_s: 1 } })).id;
  places.push(await proxy());
  const one = await visit(browser, places[0].at);
  await one.page.getByRole("region", { name: `Host ${TO}`, exact: true }).waitFor();
  await one.page.locator("waypost-migrations").getByRole("button", { name: new RegExp(`${DOMAIN}.*Moving`) }).waitFor();
  // Its viewer looks, and is offered nothing else.
  assert.equal(await one.page.getByRole("button", { name: /^Move/ }).count(), 0);
  assert.deepEqual(one.complaints, []);
  console.log(`the static page: ${DOMAIN} on its way to ${TO}`);

  places.push(await program());
  const two = await visit(browser, places[1].at, { httpCredentials: { username: "anna", password: "example" } });
  await two.page.getByRole("region", { name: "Host kvm2", exact: true }).waitFor();
  await two.page.getByRole("button", { name: "Move web1", exact: true }).click();
  await two.page.getByRole("button", { name: /^Move web1 to kvm2: Allowed/ }).click();
  await two.page.getByRole("button", { name: "Move to kvm2", exact: true }).click();
  await two.page.locator("waypost-migrations").getByRole("button", { name: /web1.*Moving/ }).waitFor();
  assert.deepEqual(two.complaints, []);
  console.log("the program with users of its own: web1 on its way to kvm2");
} finally {
  if (task) await ask("POST", `/tasks/${task}/cancel`, OTTO).catch((error) => console.error(String(error)));
  await browser.close();
  for (const place of places) place.close();
  agent.destroy();
}
