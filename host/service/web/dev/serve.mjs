// Serves `dist` as the program does, with its content security policy, over a made-up fleet or a real service:
// `node dev/serve.mjs [PORT] [SOCKET]`. The tests of the pages use `serve` with a fleet of their own.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { Fake } from "./fake.mjs";
import { passOn } from "./pass-on.mjs";

const dist = new URL("../dist/", import.meta.url).pathname;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain" };
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Listens; answers where, and how to end it. `more` are pages beside those of `dist`, by path, under that `policy`. */
export async function serve({ port = 0, fake = null, socket = null, more = {}, policy = POLICY } = {}) {
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    if (path.startsWith("/api/")) {
      return socket ? passOn(socket, request, response) : fake.answer(request, response);
    }
    if (path === "/" && fake && !fake.asks(request)) return response.writeHead(303, { Location: "/login" }).end();
    const name = normalize({ "/": "/index.html", "/login": "/login.html" }[path] ?? path);
    const file = join(dist, name);
    const head = (type) => ({ "Content-Type": `${type}; charset=utf-8`, "Content-Security-Policy": POLICY, "Cache-Control": "no-store" });
    if (more[name]) return response.writeHead(200, { ...head("text/html"), "Content-Security-Policy": policy }).end(more[name]);
    // For pages of every origin, and nothing else is.
    if (name === "/waypost.js") response.setHeader("Access-Control-Allow-Origin", "*");
    if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.writeHead(200, head(TYPES[extname(file)] ?? "application/octet-stream"));
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [port, socket] = process.argv.slice(2);
  const { url } = await serve({ port: Number(port ?? 8080), socket, fake: socket ? null : new Fake() });
  console.log(url);
}
