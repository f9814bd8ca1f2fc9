import { expect, test } from "vitest";
import { Parser, read } from "../../src/api/stream";

test("events come whole, however the text is cut", () => {
  const text = ': waypost\n\nid: 7\nevent: record\ndata: {"a":1}\n\nevent: progress\r\ndata: x\r\ndata: y\r\n\r\n: still here\n\n';
  const expected = [
    { id: "7", kind: "record", data: '{"a":1}' },
    { id: null, kind: "progress", data: "x\ny" },
  ];
  expect(new Parser().push(text)).toEqual(expected);
  for (let cut = 1; cut < text.length; cut += 1) {
    const parser = new Parser();
    expect([...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))], `cut at ${cut}`).toEqual(expected);
  }
});

test("an id alone tells a place", () => {
  expect(new Parser().push("id: 9\n\n")).toEqual([{ id: "9", kind: "message", data: "" }]);
});

test("an event that the end of the stream cut off is none", () => {
  expect(new Parser().push("id: 8\ndata: half")).toEqual([]);
});

test("a stream is read to its end, and every piece is a sign of life", async () => {
  const seen: string[] = [];
  let signs = 0;
  const response = new Response(": hello\n\nid: 1\ndata: one\n\nid: 2\ndata: two\n\n");
  await read(response, new AbortController(), (event) => seen.push(event.data), () => (signs += 1));
  expect(seen).toEqual(["one", "two"]);
  expect(signs).toBeGreaterThan(0);
});
