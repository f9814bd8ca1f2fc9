// `node --test`: the channel's fetch against a stand-in for Cockpit's, which does what its documentation says.

import assert from "node:assert/strict";
import { test } from "node:test";

import { channelFetch } from "./channel.js";

const BASE = "http://waypost.channel/";

/** One request of `cockpit.http(...)`, played by the test. */
class Asked {
  constructor(options) {
    this.options = options;
    this.promise = new Promise((resolve, reject) => {
      this.done = resolve;
      // Cockpit's own promises hand over what was read as a second argument.
      this.failed = (error, rest) => reject([error, rest]);
    });
  }
  response(callback) {
    this.head = callback;
    return this;
  }
  stream(callback) {
    this.piece = callback;
    return this;
  }
  then(done, failed) {
    this.promise.then(done, ([error, rest]) => failed(error, rest));
    return this;
  }
  close(problem) {
    this.closed = problem;
  }
}

function played() {
  const all = [];
  const http = { request: (options) => (all.push(new Asked(options)), all.at(-1)) };
  const elsewhere = [];
  const fetch = channelFetch(http, BASE, async (input) => (elsewhere.push(String(input)), new Response("elsewhere")));
  return { all, elsewhere, fetch };
}

const bytes = (text) => new TextEncoder().encode(text);

/** Lets what is awaited go on. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("an answer arrives with its status, its headers and its pieces", async () => {
  const { all, fetch } = played();
  const going = fetch(`${BASE}api/v1/tasks?limit=2`, { headers: { Accept: "application/json" } });
  await turn();
  const [asked] = all;
  assert.deepEqual(asked.options, {
    method: "GET",
    path: "/api/v1/tasks?limit=2",
    headers: { accept: "application/json" },
    body: "",
    binary: true,
  });
  asked.head(200, { "Content-Type": "application/json", "Content-Length": "14", ETag: '"1"' });
  const pieces = bytes('{"tasks":["ä"]}');
  // A sign of two bytes comes in two pieces.
  asked.piece(pieces.slice(0, 12));
  asked.piece(pieces.slice(12));
  asked.done();
  const answer = await going;
  assert.deepEqual([answer.status, answer.ok, answer.headers.get("etag")], [200, true, '"1"']);
  assert.equal(answer.headers.get("content-length"), null);
  assert.deepEqual(await answer.json(), { tasks: ["ä"] });
});

test("what is sent goes along, and a refusal is an answer", async () => {
  const { all, fetch } = played();
  const going = fetch(`${BASE}api/v1/tasks`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": "k" },
    body: '{"domain":"web1"}',
  });
  await turn();
  const [asked] = all;
  assert.deepEqual(asked.options.body, bytes('{"domain":"web1"}'));
  assert.equal(asked.options.headers["idempotency-key"], "k");
  asked.failed({ status: 409, reason: "Conflict", message: "Conflict", problem: null }, bytes('{"code":"domain-busy"}'));
  const answer = await going;
  assert.deepEqual([answer.status, await answer.json()], [409, { code: "domain-busy" }]);
});

test("bytes of every kind go there and come back as they are", async () => {
  const { all, fetch } = played();
  const file = Uint8Array.from({ length: 256 }, (_, value) => value);
  const going = fetch(`${BASE}api/v1/plugins/mine`, {
    method: "PUT",
    headers: { "Content-Type": "application/wasm", "Waypost-Reason": String.fromCharCode(...bytes("für anna")) },
    body: new Blob([file]),
  });
  // A file is read in more than one turn.
  while (!all.length) await turn();
  const [asked] = all;
  assert.ok(asked.options.body instanceof Uint8Array);
  assert.deepEqual([...asked.options.body], [...file]);
  assert.deepEqual([asked.options.binary, asked.options.headers["waypost-reason"]], [true, "für anna"]);
  asked.head(200, {});
  asked.piece(asked.options.body);
  asked.done();
  assert.deepEqual([...new Uint8Array(await (await going).arrayBuffer())], [...file]);
});

test("events arrive before the stream ends, and whoever leaves closes the channel", async () => {
  const { all, fetch } = played();
  const leave = new AbortController();
  const going = fetch(`${BASE}api/v1/events`, { signal: leave.signal });
  await turn();
  const [asked] = all;
  asked.head(200, { "Content-Type": "text/event-stream" });
  const reader = (await going).body.getReader();
  asked.piece(bytes("id: 1\n\n"));
  assert.equal(new TextDecoder().decode((await reader.read()).value), "id: 1\n\n");
  leave.abort();
  assert.equal(asked.closed, "cancelled");
  await assert.rejects(reader.read(), { name: "AbortError" });
  // What comes late is nobody's any more.
  asked.piece(bytes("id: 2\n\n"));
  asked.failed({ problem: "cancelled", message: "cancelled" });
  await turn();
});

test("a channel that can't be opened is a failure of the network", async () => {
  const { all, fetch } = played();
  const going = fetch(`${BASE}api/v1/hosts`);
  await turn();
  all[0].failed({ problem: "access-denied", message: "Not permitted" });
  await assert.rejects(going, { name: "TypeError", message: "the service can't be reached: Not permitted" });
  await assert.rejects(fetch(`${BASE}api/v1/hosts`, { signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(all.length, 1, "what was given up before is not asked");
});

test("all other addresses are asked as ever", async () => {
  const { all, elsewhere, fetch } = played();
  assert.equal(await (await fetch("https://example.org/x")).text(), "elsewhere");
  assert.deepEqual([elsewhere, all.length], [["https://example.org/x"], 0]);
});
