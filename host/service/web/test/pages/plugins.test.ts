// What people do with policies, and what the page keeps from those who may not.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browse, flaws, open } from "./support";

let browser: Browser;
beforeAll(async () => void (browser = await browse()));
afterAll(() => browser.close());

const WASM = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
const named = (name: string | RegExp) => ({ name, exact: true });

test("a policy is uploaded, switched off, and deleted", async () => {
  const site = await open(browser, { hash: "#/policies", scheme: "dark" });
  const { page, fake } = site;
  const input = page.locator("waypost-upload input[type=file]");
  await input.setInputFiles({ name: "rules.zip", mimeType: "application/zip", buffer: Buffer.from("PK\u0003\u0004") });
  await page.getByText("This file is packed (zip)").waitFor();
  await input.setInputFiles({ name: "My rule.wasm", mimeType: "application/wasm", buffer: WASM });
  const dialog = page.getByRole("dialog", named("Upload a policy"));
  await dialog.waitFor();
  await page.getByLabel("Name").fill("../etc");
  await page.getByText("A name has 1 to 64 letters").waitFor();
  expect(await page.getByRole("button", named("Upload")).isDisabled()).toBe(true);
  await page.getByLabel("Name").fill("friday");
  expect(await flaws(page)).toEqual([]);
  await page.getByLabel("Why").fill("no moves on Fridays");
  await page.getByRole("button", named("Upload")).click();
  await page.getByText("friday was uploaded.").waitFor();
  await page.getByRole("button", { name: /^friday/ }).click();
  await page.getByLabel("Why").fill("it is Friday night – für heute");
  // Without a precheck more is allowed, so that is asked about; the other way round it is not.
  const off = page.getByRole("button", named("Switch off friday"));
  await off.click();
  await page.getByRole("dialog", named("Switch off friday")).waitFor();
  expect(await flaws(page)).toEqual([]);
  await page.getByRole("button", named("Keep it")).click();
  await page.locator("waypost-dialog").waitFor({ state: "detached" });
  expect(fake.policies.get("friday").plugin.state).toBe("ready");
  await off.click();
  await page.locator("waypost-dialog").getByRole("button", named("Switch off")).click();
  await page.getByRole("button", { name: /^Switch on/ }).waitFor();
  await page.locator("waypost-dialog").waitFor({ state: "detached" });
  expect(fake.policies.get("friday").plugin.enabled).toBe(false);
  expect(await flaws(page)).toEqual([]);
  await page.getByRole("button", { name: /^Delete/ }).click();
  await page.getByRole("dialog", named("Delete friday")).waitFor();
  await page.locator("waypost-dialog").getByRole("button", named("Delete")).click();
  await page.getByRole("button", { name: /^friday/ }).waitFor({ state: "detached" });
  expect(fake.policies.has("friday")).toBe(false);
  // Each is said of one change, and of no other.
  expect(fake.reasons).toEqual(["no moves on Fridays", "it is Friday night – für heute"]);
  expect(site.complaints).toEqual([]);
  await site.close();
});

test("a name that is there is replaced, and it is said what is", async () => {
  const site = await open(browser, { hash: "#/policies" });
  const { page, fake } = site;
  await page.locator("waypost-upload input[type=file]").setInputFiles({ name: "precheck-cpu.wasm", mimeType: "application/wasm", buffer: WASM });
  await page.getByRole("dialog", named("Replace precheck-cpu")).waitFor();
  await page.getByText("It goes before the file of a plugin folder").waitFor();
  await page.getByRole("button", named("Replace")).click();
  await page.getByText("precheck-cpu was replaced.").waitFor();
  expect(fake.policies.get("precheck-cpu").plugin.uploaded).toBe(true);
  await site.close();
});

test("settings are saved, and what somebody else changed meanwhile is shown first", async () => {
  const site = await open(browser, { hash: "#/policies" });
  const { page, fake } = site;
  await page.getByRole("button", { name: /^convergence-adaptive/ }).click();
  const field = page.getByLabel("Settings of convergence-adaptive, JSON");
  const save = page.getByRole("button", named("Save"));
  await field.fill("{");
  expect(await save.isDisabled()).toBe(true);
  await field.fill('{"wrong": 1}');
  await save.click();
  await page.getByText("refuses its settings: unknown field `wrong`").waitFor();
  await field.fill('{"window_s": 5}');
  await save.click();
  await page.getByText("Saved. The next decision uses them.").waitFor();
  fake.meddle("convergence-adaptive", { window_s: 9, reserve_s: 7 });
  await field.fill('{"window_s": 6}');
  await save.click();
  await page.getByText("Somebody else changed these settings meanwhile").waitFor();
  await page.getByText("5 became 9").waitFor();
  await page.getByText("nothing became 7").waitFor();
  expect(await flaws(page)).toEqual([]);
  expect(fake.policies.get("convergence-adaptive").settings).toEqual({ window_s: 9, reserve_s: 7 });
  await page.getByRole("button", named("Save mine over theirs")).click();
  await page.getByText("Saved. The next decision uses them.").waitFor();
  expect(fake.policies.get("convergence-adaptive").settings).toEqual({ window_s: 6 });
  await page.getByRole("button", named("Take them back")).click();
  await page.getByText("None were made.").waitFor();
  await site.close();
});

test("where an answer is lost, nothing is said not to have been done, and what is there is shown", async () => {
  const site = await open(browser, { hash: "#/policies" });
  const { page, fake } = site;
  // Each change is made, and a proxy gives up before its answer comes.
  const policy = fake.policy.bind(fake);
  fake.policy = (name: string, method: string, ...more: unknown[]) => {
    const answer = policy(name, method, ...more);
    return method === "GET" ? answer : { status: 504, body: null };
  };
  await page.locator("waypost-upload input[type=file]").setInputFiles({ name: "friday.wasm", mimeType: "application/wasm", buffer: WASM });
  await page.getByRole("button", named("Upload")).click();
  await page.getByText("It is not known whether the policy was put down").waitFor();
  // It is there after all, so another try would replace it.
  await page.getByRole("dialog", named("Replace friday")).waitFor();
  await page.getByRole("button", named("Leave it")).click();
  await page.getByRole("button", { name: /^friday/ }).click();
  await page.getByRole("button", named("Switch off friday")).click();
  await page.locator("waypost-dialog").getByRole("button", named("Switch off")).click();
  await page.getByText("It is not known whether it was switched off").waitFor();
  await page.getByRole("button", { name: /^Switch on/ }).waitFor();
  await page.getByLabel("Settings of friday, JSON").fill('{"window_s": 5}');
  await page.getByRole("button", named("Save")).click();
  await page.getByText("It is not known whether the settings were saved").waitFor();
  await page.getByText("These settings were changed meanwhile, by you or by somebody else.").waitFor();
  expect(fake.policies.get("friday").settings).toEqual({ window_s: 5 });
  await page.getByRole("button", named("Take what is there")).click();
  await page.getByRole("button", named("Take them back")).click();
  await page.getByText("It is not known whether the settings were taken back").waitFor();
  expect(await page.getByText(/not (put down|switched|saved|taken back)|Nothing of yours/).count()).toBe(0);
  await site.close();
});

test("who may not change policies is told why, and has no controls", async () => {
  const site = await open(browser, { hash: "#/policies", fleet: { role: "viewer" } });
  const { page, fake } = site;
  fake.meddle("convergence-adaptive", { window_s: 4711, reserve_s: 7 });
  await page.getByText("Your role here is viewer").waitFor();
  await page.getByRole("button", { name: /^convergence-adaptive/ }).click();
  // Which there are, and not what they say: that may be a secret.
  expect(await page.getByRole("group", named("Settings of convergence-adaptive")).innerText()).toBe("reserve_s\nwindow_s");
  await page.getByText("What they say is shown to whoever may change policies.").waitFor();
  expect(await page.getByText("4711").count()).toBe(0);
  expect(await page.locator("waypost-upload, waypost-settings textarea").count()).toBe(0);
  expect(await page.getByRole("button", { name: /^(Switch|Delete|Save)/ }).count()).toBe(0);
  expect(await flaws(page)).toEqual([]);
  await site.close();
});
