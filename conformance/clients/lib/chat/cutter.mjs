// A proxy that counts the WebSocket messages passing it, in both directions, and cuts the socket after a chosen one.
import { createServer, connect } from "node:net";

/**
 * `passed` counts messages since the last `arm`; `arm(k)` cuts after the k-th (0: never); `onCut` runs at that moment. `last` is
 * the message after which it cut: its `direction` (`up`: from the page) and the `type` of its frame.
 * @returns {Promise<{port: number, passed: number, last: {direction: string, type: string} | null, arm(k: number): void, onCut: (() => void) | null, close(): void}>}
 */
export function cutter({ hostname, port }) {
  const proxy = { port: 0, passed: 0, at: 0, last: null, onCut: null };
  const pairs = new Set();
  const server = createServer((near) => {
    const far = connect(port, hostname);
    const pair = () => (near.destroy(), far.destroy());
    pairs.add(pair);
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on("error", pair);
      socket.on("close", () => (pair(), pairs.delete(pair)));
    }
    join(near, far, proxy, pair, "up");
    join(far, near, proxy, pair, "down");
  });
  proxy.arm = (k) => ((proxy.passed = 0), (proxy.at = k), (proxy.last = null));
  proxy.close = () => (pairs.forEach((pair) => pair()), server.close());
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => ((proxy.port = server.address().port), done(proxy)));
  });
}

// Control frames are not counted: whether a ping falls between two messages is chance.
function join(from, to, proxy, cut, direction) {
  const frames = reader();
  from.on("data", (bytes) => {
    for (const { piece, isMessage } of frames(bytes)) {
      if (to.destroyed) return;
      to.write(piece);
      if (!isMessage || ++proxy.passed !== proxy.at) continue;
      proxy.at = 0;
      proxy.last = { direction, type: typeOf(piece) };
      // What was passed on arrives; nothing after it does, in either direction.
      from.pause();
      proxy.onCut?.();
      to.end(() => setTimeout(cut, direction === "down" ? 5 : 0));
      from.destroy();
      return;
    }
  });
}

// Splits a byte stream: the HTTP head as it comes, then whole WebSocket frames.
function reader() {
  let rest = Buffer.alloc(0);
  let state = "head";
  return (bytes) => {
    const pieces = [];
    rest = Buffer.concat([rest, bytes]);
    if (state === "head") {
      const end = rest.indexOf("\r\n\r\n");
      if (end < 0) return pieces;
      const head = rest.toString("latin1", 0, end + 4);
      state = /^upgrade:\s*websocket/im.test(head) ? "frames" : "plain";
      // Without compression what passes can be read.
      pieces.push({ piece: Buffer.from(head.replace(/^sec-websocket-extensions:.*\r\n/im, ""), "latin1"), isMessage: false });
      rest = rest.subarray(end + 4);
    }
    if (state === "plain") {
      if (rest.length) pieces.push({ piece: rest, isMessage: false });
      rest = Buffer.alloc(0);
      return pieces;
    }
    for (let size; (size = frameSize(rest)) && size <= rest.length; rest = rest.subarray(size)) {
      pieces.push({ piece: rest.subarray(0, size), isMessage: (rest[0] & 0x8f) >= 0x80 && (rest[0] & 0x08) === 0 });
    }
    return pieces;
  };
}

function frameSize(bytes) {
  if (bytes.length < 2) return 0;
  const isMasked = bytes[1] & 0x80 ? 4 : 0;
  const short = bytes[1] & 0x7f;
  if (short < 126) return 2 + isMasked + short;
  if (short === 126) return bytes.length < 4 ? 0 : 4 + isMasked + bytes.readUInt16BE(2);
  return bytes.length < 10 ? 0 : 10 + isMasked + Number(bytes.readBigUInt64BE(2));
}

// The `type` of the JSON in a whole frame.
function typeOf(frame) {
  const short = frame[1] & 0x7f;
  const start = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  const isMasked = frame[1] & 0x80;
  const mask = isMasked ? frame.subarray(start, start + 4) : null;
  const payload = Buffer.from(frame.subarray(start + (isMasked ? 4 : 0)));
  if (mask) payload.forEach((byte, at) => (payload[at] = byte ^ mask[at % 4]));
  try {
    return JSON.parse(payload.toString()).type ?? "untyped";
  } catch {
    return "unreadable";
  }
}
