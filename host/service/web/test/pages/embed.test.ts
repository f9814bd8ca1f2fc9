// The elements in a page of others: one script tag, no framework, no dashboard.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browse, Fake, flaws, open, serveToo } from "./support";

let browser: Browser;
beforeAll(async () => void (browser = await browse()));
afterAll(() => browser.close());

const page = (body: string) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<script type="module" src="waypost.js"></script></head><body><main><h1>Ours</h1>${body}</main></body></html>`;

test("a list opens its migrations in place, and says so to the page", async () => {
  const site = await open(browser, {
    path: "theirs.html",
    fleet: { token: "a-token" },
    begun: [{ domain: "warehouse", to: "kvm1" }],
    more: { "/theirs.html": page(`<waypost-migrations token="a-token"></waypost-migrations>`) },
  });
  const told = site.page.evaluate(
    () => new Promise((resolve) => addEventListener("waypost-open", (event) => resolve((event as CustomEvent).detail.task))),
  );
  const line = site.page.getByRole("button", { name: /warehouse.*Moving/ });
  await line.click();
  expect(await told).toBe([...site.fake.tasks.values()].find((task) => !task.outcome).id);
  expect(await line.getAttribute("aria-expanded")).toBe("true");
  await site.page.getByRole("button", { name: "Cancel", exact: true }).waitFor();
  expect(await flaws(site.page)).toEqual([]);
  expect(site.complaints).toEqual([]);
  await site.close();
});

test("a list says aloud how migrations ended that it is of, and no others", async () => {
  const slow = { bandwidth_mib_s: 2 };
  const site = await open(browser, {
    path: "theirs.html",
    fleet: { pace: 2, history: false },
    begun: [{ domain: "warehouse", to: "kvm1", options: slow }, { domain: "web4", to: "kvm2", options: slow }],
    more: {
      "/theirs.html": page(
        ["", `domain="web4"`, `host="kvm2"`, `state="completed"`, "mute"].map((of) => `<waypost-migrations ${of}></waypost-migrations>`).join(""),
      ),
    },
  });
  const lists = site.page.locator("waypost-migrations");
  const said = () => lists.evaluateAll((all) => all.map((one) => one.shadowRoot!.querySelector("[role=status]")!.textContent));
  const end = (domain: string) => site.fake.end([...site.fake.tasks.values()].find((task) => task.domain === domain), "stuck", "nothing more is done");
  for (const name of [/warehouse.*Moving/, /web4.*Moving/]) await lists.first().getByRole("button", { name }).waitFor();
  for (const index of [1, 2]) await lists.nth(index).getByRole("button", { name: /web4.*Moving/ }).waitFor();
  expect(await said()).toEqual(["", "", "", "", ""]);
  end("warehouse");
  await lists.last().getByRole("button", { name: /warehouse.*Stuck/ }).waitFor();
  expect(await said()).toEqual(["warehouse: Stuck", "", "", "", ""]);
  end("web4");
  await lists.last().getByRole("button", { name: /web4.*Stuck/ }).waitFor();
  expect(await said()).toEqual(["web4: Stuck", "web4: Stuck", "web4: Stuck", "", ""]);
  await site.close();
});

test("one migration by its id, and all elements on one stream of events", async () => {
  const site = await open(browser, { path: "theirs.html", begun: [{ domain: "warehouse", to: "kvm1" }], more: { "/theirs.html": page("") } });
  const [running, stuck] = [undefined, "stuck"].map((kind) => [...site.fake.tasks.values()].find((task) => task.outcome?.kind === kind));
  stuck.decisions = stuck.decisions.slice(0, 3);
  await site.page.evaluate((task) => {
    document.querySelector("main")!.innerHTML =
      `<waypost-migration id="${task}"></waypost-migration><waypost-migrations state="unfinished"></waypost-migrations><waypost-hosts readonly></waypost-hosts>
      <waypost-readiness></waypost-readiness><waypost-decisions task="${task}"></waypost-decisions>`;
  }, running.id);
  await site.page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  await site.page.locator("waypost-hosts").getByText("web1", { exact: true }).waitFor();
  await site.page.getByRole("button", { name: /^web1 to kvm2: Allowed/ }).click();
  await site.page.getByRole("button", { name: "Move it there…" }).waitFor();
  expect(site.fake.streams.size).toBe(1);
  expect(await site.page.getByRole("button", { name: "Move web1", exact: true }).count()).toBe(0);
  await site.page.evaluate(() => document.querySelector("waypost-readiness")!.setAttribute("readonly", ""));
  await site.page.getByRole("button", { name: "Move it there…" }).waitFor({ state: "detached" });
  // The attributes lead to another one, and to one policy of it.
  await site.page.evaluate((task) => (document.querySelector("waypost-migration")!.id = task), stuck.id);
  await site.page.getByRole("heading", { name: "ldap1 Stuck" }).waitFor();
  const rows = site.page.locator("main > waypost-decisions tbody tr");
  const set = (name: string, value: string) => site.page.evaluate((to) => document.querySelector("waypost-decisions")!.setAttribute(to[0]!, to[1]!), [name, value]);
  await set("task", stuck.id);
  await expect.poll(() => rows.locator("td:nth-child(2)").allTextContents()).toEqual(stuck.decisions.map((one: { plugin: string }) => one.plugin));
  await set("plugin", stuck.decisions[1].plugin);
  await expect.poll(() => rows.count()).toBe(1);
  await site.close();
});

test("elements that stand in the page before it is known of what show it once that is said", async () => {
  const site = await open(browser, {
    path: "theirs.html",
    more: { "/theirs.html": page(`<waypost-migration></waypost-migration><waypost-decisions></waypost-decisions>`) },
  });
  const stuck = [...site.fake.tasks.values()].find((task) => task.outcome?.kind === "stuck");
  await site.page.getByText("This element needs the attribute id").waitFor();
  await site.page.getByText("This element needs task or plugin").waitFor();
  await site.page.evaluate((task) => {
    document.querySelector("waypost-migration")!.id = task;
    document.querySelector("waypost-decisions")!.setAttribute("task", task);
  }, stuck.id);
  await site.page.getByRole("heading", { name: "ldap1 Stuck" }).waitFor();
  await expect.poll(() => site.page.locator("main > waypost-decisions tbody tr").count()).toBe(stuck.decisions.length);
  expect(site.complaints).toEqual([]);
  await site.close();
});

test("a page sets the service once, the look by custom properties, and a wrong token is told", async () => {
  const site = await open(browser, {
    path: "theirs.html",
    fleet: { token: "a-token" },
    more: { "/theirs.html": page(`<waypost-plugins></waypost-plugins><waypost-migrations token="wrong"></waypost-migrations>`) },
  });
  for (const element of ["waypost-plugins", "waypost-migrations"]) {
    await site.page.locator(element).getByText("Signed out", { exact: true }).waitFor();
  }
  // As text: what stands here is changed before it runs, and an import would be another one.
  await site.page.evaluate(`import("./waypost.js").then(({ configure }) => {
    configure({ token: "a-token" });
    document.documentElement.style.setProperty("--waypost-surface", "rgb(1, 2, 3)");
  })`);
  await site.page.getByRole("button", { name: /precheck-cpu/ }).waitFor();
  const colour = await site.page.evaluate(() => {
    const panel = document.querySelector("waypost-plugins")!.shadowRoot!.querySelector(".panel")!;
    return getComputedStyle(panel).backgroundColor;
  });
  expect(colour).toBe("rgb(1, 2, 3)");
  await site.close();
});

test("whom the service does not know is told so in place, and the page by an event; it goes on by itself once it does", async () => {
  const site = await open(browser, {
    path: "theirs.html",
    fleet: { token: "a-token" },
    more: { "/theirs.html": page(`<waypost-hosts></waypost-hosts><waypost-dashboard></waypost-dashboard>`) },
    before: `addEventListener("waypost-signed-out", (event) => (window.told ??= []).push([event.target.localName, event.detail.code]))`,
  });
  for (const element of ["waypost-hosts", "waypost-dashboard"]) {
    await site.page.locator(element).getByText("nothing says who asks", { exact: false }).waitFor();
  }
  await expect
    .poll(() => site.page.evaluate(() => (window as unknown as { told: string[][] }).told.map((one) => one.join(" "))))
    .toEqual(expect.arrayContaining(["waypost-hosts no-caller", "waypost-dashboard no-caller"]));
  // No page of ours is gone to.
  expect(new URL(site.page.url()).pathname).toBe("/theirs.html");
  site.fake.token = null;
  await site.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await site.page.locator("body > main > waypost-hosts").getByText("web1", { exact: true }).waitFor();
  await site.page.locator("waypost-dashboard").getByText("Live", { exact: true }).waitFor();
  await site.close();
});

test("the theme is the viewer's, or what the page says", async () => {
  const site = await open(browser, {
    path: "theirs.html",
    scheme: "dark",
    more: { "/theirs.html": page(`<waypost-plugins></waypost-plugins><waypost-plugins theme="light"></waypost-plugins>`) },
  });
  await site.page.getByRole("button", { name: /precheck-cpu/ }).nth(1).waitFor();
  const [preferred, light] = await site.page.evaluate(() =>
    [...document.querySelectorAll("waypost-plugins")].map((element) => getComputedStyle(element).color),
  );
  expect(preferred).toBe("rgb(230, 234, 240)");
  expect(light).toBe("rgb(24, 32, 42)");
  await site.close();
});

test("a page of another origin shows and changes something with a token where its origin is listed, and nothing else does", async () => {
  const fake = new Fake({ pace: 8, token: "a-token", history: false });
  const service = await serveToo({ fake });
  const at = service.url.replace(/\/$/, "");
  // It lets the service in, and nobody else.
  const policy = `default-src 'none'; script-src ${at}; connect-src ${at}`;
  const theirs = (path: string, attributes: string) => [
    path,
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Theirs</title>
    <script type="module" src="${at}/waypost.js"></script></head><body><main><h1>Theirs</h1>
    <waypost-hosts ${attributes}></waypost-hosts><waypost-migrations ${attributes}></waypost-migrations></main></body></html>`,
  ];
  const more = Object.fromEntries([theirs("/token.html", `token="a-token"`), theirs("/cookie.html", "")]);
  const other = await serveToo({ more, policy });
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(12_000);
  const complaints: string[] = [];
  page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));

  // Not listed: the module comes, for it is everybody's; what it asks does not.
  await page.goto(`${other.url}token.html`);
  await page.locator("waypost-hosts").getByText("the service does not answer", { exact: false }).first().waitFor();
  expect(await page.getByText("web4", { exact: true }).count()).toBe(0);
  expect(complaints.some((text) => text.includes("CORS policy"))).toBe(true);
  expect(fake.preflights.length).toBeGreaterThan(0);

  fake.origins = [other.url.replace(/\/$/, "")];
  complaints.length = 0;
  await page.goto(`${other.url}token.html`);
  await page.locator("waypost-hosts").getByText("web4", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Move web4", exact: true }).click();
  await page.getByRole("button", { name: /Move web4 to kvm1: Allowed/ }).click();
  await page.getByLabel("Why").fill("für die Wartung");
  await page.getByRole("button", { name: "Move to kvm1" }).click();
  await page.locator("waypost-migrations").getByRole("button", { name: /web4.*(Moving|Completed)/ }).waitFor();
  expect([...fake.tasks.values()].filter((task) => task.domain === "web4" && task.destination === "kvm1").length).toBe(1);
  expect(fake.reasons).toEqual(["für die Wartung"]);
  expect(fake.streams.size).toBe(1);
  expect(complaints).toEqual([]);

  // A session of the service's own pages counts for those alone.
  const session = await context.request.post(`${service.url}api/v1/session`, { headers: { Authorization: "Bearer a-token" } });
  expect(session.status()).toBe(201);
  expect((await context.request.get(`${service.url}api/v1/hosts`)).status()).toBe(200);
  await page.goto(`${other.url}cookie.html`);
  for (const element of ["waypost-hosts", "waypost-migrations"]) {
    await page.locator(element).getByText("nothing says who asks", { exact: false }).first().waitFor();
  }
  expect(await page.getByText("web4", { exact: true }).count()).toBe(0);
  await context.close();
  fake.stop();
  await Promise.all([service.close(), other.close()]);
});
