// Who is not known is led to the page where one logs in, and comes back; who is known is told who they are, and can leave.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { browse, flaws, open } from "./support";

let browser: Browser;
beforeAll(async () => void (browser = await browse()));
afterAll(() => browser.close());

const fleet = { token: "a-token", history: true };

async function logIn(page: Page, token = "a-token") {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Log in" }).click();
}

test("one is led to the log-in, and comes back to the place that was asked for", async () => {
  const site = await open(browser, { hash: "#/readiness", fleet });
  const { page } = site;
  await page.waitForURL(/\/login#\/readiness$/);
  await logIn(page, "wrong");
  await page.getByText("This token is not known here").waitFor();
  expect(await page.getByLabel("Token").inputValue()).toBe("");
  await logIn(page);
  await page.getByRole("heading", { name: "Readiness", exact: true }).waitFor();
  expect(page.url()).toBe(`${site.url}#/readiness`);
  await page.getByText("anna", { exact: true }).waitFor();
  // It is in a cookie that no script sees, and nowhere else.
  const seen = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, location.href]));
  expect(seen).not.toMatch(/a-token|session/);
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict" });
  await page.reload();
  await page.getByRole("grid").or(page.getByRole("table")).first().waitFor();
  expect(site.complaints).toEqual([]);
  await site.close();
});

test("a session that ends leads to the log-in, and back to where one was", async () => {
  const site = await open(browser, { fleet, begun: [{ domain: "warehouse", to: "kvm1" }] });
  const { page, fake } = site;
  await logIn(page);
  await page.getByRole("link", { name: /warehouse.*Moving/ }).click();
  await page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  const where = page.url();
  fake.logOut();
  await page.waitForURL(/\/login\?return=/);
  await page.getByText("You go on where you were.").waitFor();
  await logIn(page);
  await page.getByRole("heading", { name: "warehouse Moving" }).waitFor();
  expect(page.url()).toBe(where);
  await site.close();
});

test("a session that ends is noticed by whatever is asked, not by the stream of events alone", async () => {
  const site = await open(browser, { fleet });
  const { page, fake } = site;
  await logIn(page);
  await page.getByText("Live", { exact: true }).waitFor();
  fake.sessions.clear();
  await page.getByRole("button", { name: "Move web4", exact: true }).click();
  await page.waitForURL(/\/login\?return=/);
  await site.close();
});

test("one logs out", async () => {
  const site = await open(browser, { fleet });
  const { page, fake } = site;
  await logIn(page);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(/\/login$/);
  expect(fake.sessions.size).toBe(0);
  await page.goto(site.url);
  await page.waitForURL(/\/login$/);
  await site.close();
});

test("who is known by the connection is shown, and has nothing to log out of", async () => {
  const site = await open(browser, { fleet: { who: { name: "root" } } });
  await site.page.getByText("root", { exact: true }).waitFor();
  expect(await site.page.getByRole("button", { name: "Log out" }).count()).toBe(0);
  await site.close();
});

test("one goes on to a page of this origin and to no other", async () => {
  const site = await open(browser, { path: "login" });
  const { origin } = new URL(site.url);
  const goal = (query: string, hash = "") =>
    site.page.evaluate(`import("./login.js").then(({ goal }) => goal(${JSON.stringify(`${site.url}login${query}${hash}`)}))`);
  const asked = (path: string) => goal(`?return=${encodeURIComponent(path)}`);
  const home = site.url;
  expect(await goal("")).toBe(home);
  expect(await goal("", "#/migrations/1")).toBe(`${home}#/migrations/1`);
  expect(await goal("", "#token")).toBe(home);
  expect(await asked("/#/migrations/1")).toBe(`${home}#/migrations/1`);
  expect(await asked("/theirs/page.html?x=1#y")).toBe(`${home}theirs/page.html?x=1#y`);
  for (const hostile of [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "/\t/evil.example/",
    "\\\\evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    `blob:${origin}/x`,
    "evil.example",
    "",
    "/login",
    "/login?return=/x",
    "//[",
  ]) {
    expect(await asked(hostile), JSON.stringify(hostile)).toBe(home);
  }
  // What would be another host as a path is told in full, and stays here.
  for (const path of ["/.//evil.example/", "/x/..//evil.example/", "/%2f%2fevil.example/", "/@evil.example/"]) {
    expect(new URL((await asked(path)) as string).origin, path).toBe(origin);
  }
  await site.close();
});

for (const scheme of ["light", "dark"] as const) {
  for (const width of [1280, 390]) {
    test(`the log-in, ${scheme}, ${width} px wide`, async () => {
      const site = await open(browser, { path: "login", scheme, width, fleet });
      expect(await flaws(site.page)).toEqual([]);
      await logIn(site.page, "wrong");
      await site.page.getByText("This token is not known here").waitFor();
      expect(await flaws(site.page)).toEqual([]);
      expect(await site.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      expect(site.complaints).toEqual([]);
      await site.close();
    });
  }
}
