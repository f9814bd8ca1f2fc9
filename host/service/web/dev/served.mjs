// Serves the pages while they are changed (`npm run dev`): the module straight from its sources, and below /api/v1 either a
// fleet that is made up (fake.mjs) or a real service, named by WAYPOST_SOCKET (path of its Unix socket).

import { Fake } from "./fake.mjs";
import { passOn } from "./pass-on.mjs";

export function served() {
  const socket = process.env.WAYPOST_SOCKET;
  return {
    name: "served",
    configureServer(server) {
      const fake = socket ? null : new Fake();
      server.middlewares.use((request, response, next) => {
        if (request.url.startsWith("/api/")) return socket ? passOn(socket, request, response) : fake.answer(request, response);
        if (request.url === "/") request.url = "/index.html";
        if (/^\/login($|\?)/.test(request.url)) request.url = "/login.html";
        if (request.url === "/waypost.js") request.url = "/src/waypost.ts";
        next();
      });
    },
  };
}
