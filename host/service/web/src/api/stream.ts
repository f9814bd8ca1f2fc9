// Server-sent events over fetch. `EventSource` can't send an Authorization header, and a token has no place in a URL.

/** One event. */
export interface ServerEvent {
  id: string | null;
  kind: string;
  data: string;
}

/** Takes text as it comes and gives the events that are complete. */
export class Parser {
  private rest = "";
  private id: string | null = null;
  private kind = "";
  private data: string[] = [];

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        // An id alone tells a place.
        if (this.data.length || this.id !== null) events.push({ id: this.id, kind: this.kind || "message", data: this.data.join("\n") });
        this.id = null;
        this.kind = "";
        this.data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") this.data.push(value);
      else if (field === "event") this.kind = value;
      else if (field === "id" && !value.includes("\0")) this.id = value;
    }
    return events;
  }
}

/** Silence after which a stream is taken for dead, ms. The service says something every 15 s. */
const SILENCE_MS = 40_000;

/** Reads a stream to its end. `seen` is called with each event, `alive` with each sign of life. */
export async function read(
  response: Response,
  abort: AbortController,
  seen: (event: ServerEvent) => void,
  alive: () => void,
): Promise<void> {
  if (!response.body) throw new Error("the answer has no body");
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new Parser();
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(new Error("the stream fell silent")), SILENCE_MS);
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      for (const event of parser.push(decoder.decode(value, { stream: true }))) seen(event);
    }
  } finally {
    clearTimeout(watchdog);
  }
}
