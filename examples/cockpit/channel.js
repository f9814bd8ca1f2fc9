// `fetch` over an HTTP channel of Cockpit: what goes to one base URL is asked through the channel, all else as ever. Answers
// are streams, so that server-sent events arrive as they come. The channel is a binary one: what is sent and what is answered are the
// bytes that they are, as of a policy that is uploaded.

/**
 * @param http what `cockpit.http(...)` answers
 * @param base URL that stands for the service, with a slash at its end
 * @param otherwise the `fetch` for everything else
 */
export function channelFetch(http, base, otherwise) {
  return async function fetch(input, init = {}) {
    const request = new Request(input, init);
    if (!request.url.startsWith(base)) return otherwise(input, init);
    const signal = init.signal ?? request.signal;
    signal.throwIfAborted();
    const body = new Uint8Array(await request.arrayBuffer());
    return ask(http, request, request.url.slice(base.length - 1), body, signal);
  };
}

/** Statuses whose answers have no body, not even an empty one. */
const BARE = [101, 204, 205, 304];

function ask(http, request, path, body, signal) {
  const headers = Object.fromEntries([...request.headers].map(([name, value]) => [name, asText(value)]));
  return new Promise((resolve, reject) => {
    let answered = false;
    let over = false;
    let pieces;
    const stream = new ReadableStream({
      start: (controller) => void (pieces = controller),
      cancel: () => end(() => asked.close("cancelled")),
    });
    const end = (how) => {
      if (over) return;
      over = true;
      signal.removeEventListener("abort", aborted);
      how();
    };
    const answer = (status, told) => {
      if (answered) return;
      answered = true;
      resolve(new Response(BARE.includes(status) ? null : stream, { status, headers: known(told) }));
    };
    const broke = (error) => (answered ? pieces.error(error) : reject(error));
    const aborted = () =>
      end(() => {
        asked.close("cancelled");
        broke(signal.reason);
      });

    const asked = http.request({ method: request.method, path, headers, body: body.length ? body : "", binary: true });
    signal.addEventListener("abort", aborted);
    asked.response((status, told) => answer(status, told));
    asked.stream((piece) => {
      if (!over) pieces.enqueue(piece);
    });
    asked.then(
      () =>
        end(() => {
          answer(200, {});
          pieces.close();
        }),
      (error, rest) =>
        end(() => {
          // An error of HTTP is an answer like any other; one of the channel (no socket, no right to it) is none.
          if (!error.problem && error.status) {
            answer(error.status, {});
            if (rest?.length) pieces.enqueue(rest);
            pieces.close();
          } else {
            broke(new TypeError(`the service can't be reached: ${error.message || error.problem}`));
          }
        }),
    );
  });
}

/** A header's bytes, which `fetch` has one by one, as the text in UTF-8 that the channel takes. */
function asText(value) {
  return new TextDecoder().decode(Uint8Array.from(value, (sign) => sign.charCodeAt(0)));
}

/** Without what belongs to the connection to the service, and not to the answer. */
function known(told) {
  const headers = new Headers();
  for (const [name, value] of Object.entries(told ?? {})) {
    if (!/^(connection|content-encoding|content-length|keep-alive|transfer-encoding)$/i.test(name)) headers.append(name, value);
  }
  return headers;
}
