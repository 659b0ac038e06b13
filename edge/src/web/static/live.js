// What happens in the school, as it happens: server-sent events read with fetch; while they do not flow, the page asks
// again by itself.

/** First pause before calling again, in milliseconds; it doubles up to the longest. */
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

/**
 * Listens until `stop` is aborted.
 * @param {{ stop: AbortSignal, call?: (signal: AbortSignal) => Promise<Response>, onEvent: (name: string, data: any) => void, onFlow: (flows: boolean) => void }} how
 * `call` asks for the stream, where a cookie does not
 */
export async function listen({ stop, call = byCookie, onEvent, onFlow }) {
  let pause_ms = PAUSE_MS;
  while (!stop.aborted) {
    try {
      const response = await call(stop);
      if (response.status === 401) return onEvent("signed-out", null);
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      onFlow(true);
      pause_ms = PAUSE_MS;
      await events(response.body.getReader(), onEvent);
    } catch {
      // The next turn says whether the box is back.
    }
    if (stop.aborted) return;
    onFlow(false);
    await new Promise((go) => setTimeout(go, pause_ms));
    pause_ms = Math.min(pause_ms * 2, LONGEST_PAUSE_MS);
  }
}

/** @param {AbortSignal} signal */
function byCookie(signal) {
  return fetch("/api/v1/events", { headers: { Accept: "text/event-stream" }, cache: "no-store", credentials: "same-origin", signal });
}

/**
 * Reads the stream's blocks (WHATWG HTML §9.2).
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {(name: string, data: any) => void} onEvent
 */
async function events(reader, onEvent) {
  const utf8 = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += utf8.decode(value, { stream: true }).replace(/\r\n?/g, "\n");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      block(text.slice(0, end), onEvent);
      text = text.slice(end + 2);
    }
  }
}

/** @param {string} text @param {(name: string, data: any) => void} onEvent */
function block(text, onEvent) {
  let name = "message";
  const data = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  if (data.length === 0) return;
  try {
    onEvent(name, JSON.parse(data.join("\n")));
  } catch {
    onEvent(name, data.join("\n"));
  }
}
