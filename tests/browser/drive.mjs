// What a person does with the dashboard over real hosts, and that it says what libvirt says: logs in, drags a domain over a host
// that refuses it to one that takes it, watches it arrive, gives another one more downtime and cancels it, has one go on as post-copy, is
// led to the log-in when the session ends, has less to do with a smaller role, and changes policies with one that may.

import assert from "node:assert/strict";
import { browse } from "../../host/service/web/test/browser.mjs";
import { LONG, Screen, until } from "./screen.mjs";
import { counts, state, waypost } from "./truth.mjs";

const { URL: url, OLGA, VERA, PETRA } = process.env;
const exact = (name) => ({ name, exact: true });

async function logIn({ page }, token) {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", exact("Log in")).click();
}

/** The figures of the plot as they are told beside it. */
const remaining = (page) => page.locator("waypost-plot output").first().textContent();

/** The curves of which a figure is told just now. */
const plotted = (page) =>
  page.locator("waypost-plot .key").evaluateAll((keys) => keys.filter((key) => /\d/.test(key.querySelector("output").textContent)).map((key) => key.classList[1]));

/** Begins a migration with the Move button, at most so many MiB/s, with what is ticked beside that. */
async function move(screen, domain, host, bandwidth, ticks = []) {
  const { page } = screen;
  await screen.domain(domain).getByRole("button", exact(`Move ${domain}`)).click();
  await screen.target(domain, host, "Allowed").click();
  await confirm(screen, host, bandwidth, ticks);
}

/** Presses a force button of the migration that is shown, fills in what it asks for, and confirms it. */
async function force({ page }, label, fill = async () => {}) {
  await page.getByRole("button", exact(label)).click();
  const dialog = page.locator("waypost-dialog");
  await fill(dialog);
  await dialog.getByRole("button", exact(label)).click();
  await dialog.waitFor({ state: "detached" });
}

/** The last step. */
async function confirm(screen, host, bandwidth, ticks = [], look) {
  const { page } = screen;
  await page.getByText(/^The rules allow it/).waitFor();
  await page.locator("summary").filter({ hasText: "Choices" }).click();
  await page.getByLabel("Bandwidth, MiB/s").fill(String(bandwidth));
  await page.getByLabel("Bandwidth, MiB/s").blur();
  for (const tick of ticks) await page.getByLabel(tick).check();
  if (look) await screen.look(look);
  await page.getByRole("button", exact(`Move to ${host}`)).click();
}

const browser = await browse();
const screen = await Screen.open(browser);
const { page } = screen;
try {

  // Log in, and be where one wanted to be.
  await page.goto(`${url}/#/hosts`);
  await page.waitForURL(/\/login#\/hosts$/);
  await screen.look("login");
  await logIn(screen, "wrong");
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await logIn(screen, OLGA);
  await screen.heading("Hosts").waitFor();
  assert.equal(page.url(), `${url}/#/hosts`);
  await page.getByText("olga", { exact: true }).waitFor();
  for (const host of ["kvm1", "kvm2", "kvm3", "kvm4"]) await page.getByRole("region", exact(`Host ${host}`)).waitFor();
  for (const domain of ["web1", "web2", "mail1", "db1", "cache1", "search1", "backup"]) await screen.domain(domain).waitFor();
  assert.equal(await state("kvm1", "web1"), "running");
  for (const guest of ["web1", "web2"]) await until(`${guest} counts`, () => counts(guest).catch(() => null));
  await screen.look("hosts");

  // Drag over the host that refuses it, read why, and drop it on one that takes it.
  const row = await screen.domain("web1").boundingBox();
  await page.mouse.move(row.x + 60, row.y + row.height / 2);
  await page.mouse.down();
  await page.mouse.move(row.x + 90, row.y + row.height / 2 + 12, { steps: 4 });
  const refuses = screen.target("web1", "kvm3", "Refused");
  const takes = screen.target("web1", "kvm2", "Allowed");
  await refuses.waitFor();
  await takes.waitFor();
  const over = async (target) => {
    const box = await target.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 6 });
    await until("the host that the pointer is over is marked", () => target.evaluate((element) => element.classList.contains("open")));
  };
  await over(refuses);
  const why = await refuses.innerText();
  assert.match(why, /br-web/, "the reason names the bridge that kvm3 lacks");
  console.log(`kvm3 refuses web1: ${why.replace(/\s+/g, " ")}`);
  await screen.look("choose");
  await over(takes);
  await page.mouse.up();
  await page.getByRole("dialog", exact("Move web1 to kvm2")).waitFor();
  await confirm(screen, "kvm2", 4, [], "confirm");

  // Watch it arrive.
  await page.getByRole("link", exact("Watch it")).click();
  await screen.heading("web1 Moving").waitFor();
  await page.locator("waypost-plot canvas").first().waitFor();
  const figures = new Set();
  const bar = page.getByRole("progressbar", exact("Progress of web1"));
  // Null once it has arrived.
  const far = () => bar.getAttribute("aria-valuenow", { timeout: 3_000 }).then(Number, () => null);
  const done = [];
  await until("the plot has moved three times", async () => {
    figures.add(await remaining(page));
    done.push(await far());
    return figures.size > 3;
  });
  assert.deepEqual(done, [...done].sort((a, b) => a - b), "progress never runs backwards");
  console.log(`what remains went ${[...figures].join(", ")}`);
  assert.equal(await state("kvm1", "web1"), "running", "while it is copied it runs where it was");
  // Some way on, for the picture; a guest whose last pages are empty may be there all at once.
  await until("a part of the way is behind it", async () => {
    const now = await far();
    return now === null || now >= 20;
  });
  await screen.look("migration");
  await screen.heading("web1 Completed").waitFor({ timeout: LONG });
  const end = await page.getByText(/^web1 is running on kvm2/).first().innerText();
  assert.deepEqual([await state("kvm1", "web1"), await state("kvm2", "web1")], [null, "running"], "virsh agrees");
  console.log(`${end}; virsh says so too; ${(await counts("web1")).trim()}`);
  await screen.look("completed");

  // Another one, and a third that has to wait for it.
  await screen.go("#/hosts");
  await screen.domain("web2").waitFor();
  await move(screen, "web2", "kvm4", 1);
  await page.getByRole("link", { name: /web2.*Moving/ }).first().waitFor();
  await move(screen, "mail1", "kvm2", 20);
  await screen.go("#/migrations");
  await page.getByRole("link", { name: /mail1.*Queued.*Place 1 of 1/ }).waitFor();
  assert.equal(await state("kvm2", "mail1"), null, "who waits has touched nothing");
  await screen.look("migrations");

  await page.getByRole("link", { name: /web2.*Moving/ }).click();
  await screen.heading("web2 Moving").waitFor();
  // Each curve has figures, though not at every moment; a plot for memory, one for both rates, one for the downtime.
  const curves = new Set();
  await until("each curve had a figure", async () => {
    for (const one of await plotted(page)) curves.add(one);
    return ["remaining", "rate", "dirty", "downtime"].every((one) => curves.has(one));
  });
  assert.equal(await page.locator("waypost-plot canvas").count(), 3);
  // Let it stand still for longer: that is done, and post-copy, which nobody allowed here, is not even asked for.
  const id = page.url().split("/").at(-1);
  const limits = async () => JSON.parse(await waypost("top", "--json")).running.find((one) => one.task === id)?.max_downtime_ms;
  assert.notEqual(await limits(), 1500);
  await force(screen, "More downtime", (dialog) => dialog.getByLabel("Downtime, ms").fill("1500"));
  await until("the limit is set", async () => (await limits()) === 1500);
  const barred = page.getByRole("button", exact("Post-copy"));
  assert.equal(await barred.getAttribute("aria-disabled"), "true");
  assert.equal(await barred.getAttribute("title"), "Post-copy was not allowed when the migration was asked for.");

  // Cancel it: where it is afterwards is what virsh says.
  await page.getByRole("button", exact("Cancel")).click();
  await page.getByLabel("Why").fill("the backup runs");
  await screen.look("cancel");
  await page.locator("waypost-dialog").getByRole("button", exact("Cancel")).click();
  await screen.heading("web2 Cancelled").waitFor();
  await page.getByText(/^web2 is running on kvm1/).first().waitFor();
  assert.deepEqual([await state("kvm1", "web2"), await state("kvm4", "web2")], ["running", null], "virsh agrees");
  console.log(`${await page.getByText(/^web2 is running on kvm1/).first().innerText()}; virsh says so too; ${(await counts("web2")).trim()}`);
  assert.match(await waypost("audit", "--limit", "5"), /the backup runs/, "and why is in the audit log");
  await screen.look("cancelled");
  await screen.go("#/migrations");
  await page.getByRole("link", { name: /mail1.*Completed/ }).waitFor({ timeout: LONG });
  assert.deepEqual([await state("kvm1", "mail1"), await state("kvm2", "mail1")], [null, "running"], "virsh agrees");

  // One that would take long and may go on as post-copy, does when that is pressed: it runs there at once, and its memory follows.
  await screen.go("#/hosts");
  await screen.domain("web2").waitFor();
  await move(screen, "web2", "kvm2", 1, ["Allow post-copy"]);
  await screen.go("#/migrations");
  await page.getByRole("link", { name: /web2.*Moving/ }).click();
  await screen.heading("web2 Moving").waitFor();
  // QEMU refuses the switch before it sends anything: pressed before that it is kept.
  await force(screen, "Post-copy");
  await screen.heading("web2 Completed").waitFor({ timeout: LONG });
  assert.deepEqual([await state("kvm1", "web2"), await state("kvm2", "web2")], [null, "running"], "virsh agrees");
  const crossed = page.url().split("/").at(-1);
  const { journal } = JSON.parse(await waypost("task", crossed, "--json"));
  const switched = journal.filter(({ record, details }) => record.startsWith("steer-") && details.action === "post-copy");
  const told = switched.map(({ record, details }) => [record, details.by ?? details.result]);
  if (told[0]?.[0] === "steer-kept") assert.deepEqual(told.shift(), ["steer-kept", "olga"]);
  assert.deepEqual(told, [["steer-intended", "olga"], ["steer-settled", "done"]], JSON.stringify(switched));
  console.log(`web2 is on kvm2 by post-copy; virsh says so too; ${(await counts("web2")).trim()}`);

  // The other pages.
  await screen.go("#/readiness");
  await page.getByRole("button", { name: /^web1 to kvm3: Refused/ }).click();
  await page.getByRole("complementary", exact("Findings")).getByText(/br-web/).first().waitFor();
  await screen.look("readiness");
  await screen.go("#/policies");
  await page.getByRole("button", { name: /precheck-network/ }).waitFor();
  await screen.look("policies");
  await page.getByRole("button", { name: /^precheck-network/ }).click();
  await page.getByRole("region", exact("Decisions")).getByRole("cell", exact("web1")).first().waitFor();
  assert.equal(await page.getByRole("button", { name: /^Switch/ }).count(), 0, "an operator changes no policy");

  // The session ends while the page is open, somebody else logs in, and has less to do where olga was.
  await screen.go("#/migrations");
  await page.getByRole("link", { name: /web2.*Cancelled/ }).click();
  await page.getByRole("button", exact("Try again")).waitFor();
  const where = page.url();
  await waypost("token", "revoke", OLGA.split("_")[1], "--reason", "the session is to end");
  await page.waitForURL(/\/login\?return=/);
  await logIn(screen, VERA);
  await screen.heading("web2 Cancelled").waitFor();
  assert.equal(page.url(), where);
  await page.getByText("vera", { exact: true }).waitFor();
  assert.equal(await page.getByRole("button", exact("Try again")).count(), 0);
  await screen.go("#/hosts");
  await screen.domain("web2").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Move/ }).count(), 0);
  await page.getByRole("button", exact("Log out")).click();
  await page.waitForURL(/\/login$/);
  const cookies = await page.context().cookies();
  assert.deepEqual(cookies, [], "nothing is left of the session");

  // Whoever may change policies switches one off and on, gives another one settings, and uploads a third; the command says so too.
  const policy = async (name) => JSON.parse(await waypost("plugin", "list", "--json")).plugins.find((one) => one.name === name);
  await page.goto(`${url}/#/policies`);
  await page.waitForURL(/\/login#\/policies$/);
  await logIn(screen, PETRA);
  await page.getByRole("button", { name: /^precheck-network/ }).click();
  await page.getByRole("button", exact("Switch off precheck-network")).click();
  await page.locator("waypost-dialog").getByRole("button", exact("Switch off")).click();
  const on = page.getByRole("button", exact("Switch on precheck-network"));
  await on.waitFor();
  assert.equal((await policy("precheck-network")).enabled, false);
  await on.click();
  await page.getByRole("button", exact("Switch off precheck-network")).waitFor();
  assert.equal((await policy("precheck-network")).state, "ready");
  await page.getByRole("button", { name: /^convergence-adaptive/ }).click();
  await page.getByLabel("Settings of convergence-adaptive, JSON").fill('{"window_s": 8}');
  await page.getByRole("button", exact("Save")).click();
  await page.getByText("Saved. The next decision uses them.").waitFor();
  assert.equal((await policy("convergence-adaptive")).settings_by, "service");
  await screen.look("policy");
  await page.locator("waypost-upload input[type=file]").setInputFiles((await policy("precheck-capacity")).file);
  await page.getByLabel("Name").fill("capacity-too");
  await page.locator("waypost-dialog").getByLabel("Why").fill("twice is safer");
  await page.getByRole("button", exact("Upload")).click();
  await page.getByText("capacity-too was uploaded.").waitFor();
  await page.getByRole("button", { name: /^capacity-too/ }).waitFor();
  const { state: stands, uploaded } = await policy("capacity-too");
  assert.deepEqual([stands, uploaded], ["ready", true]);
  assert.match(await waypost("audit", "--limit", "5"), /twice is safer/, "and why is in the audit log");
  console.log("precheck-network off and on, settings of convergence-adaptive, capacity-too uploaded; the command says so too");

  assert.deepEqual(screen.complaints, []);
  console.log(`done: ${screen.seen.length} screens`);
} finally {
  await screen.keep();
  await browser.close();
}
