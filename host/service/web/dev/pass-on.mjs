// Passes a request on to a service behind a Unix socket.

import { request as send } from "node:http";

export function passOn(socketPath, request, response) {
  const { method, url, headers } = request;
  const onward = send({ socketPath, method, path: url, headers: { ...headers, host: "localhost" } }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", (error) => {
    if (!response.headersSent) response.writeHead(502, { "Content-Type": "application/problem+json" });
    response.end(JSON.stringify({ code: "no-service", title: "no service", detail: String(error.message), status: 502 }));
  });
  // Who leaves a stream of events ends it behind us as well.
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}
