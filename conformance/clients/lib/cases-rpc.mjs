// Calls: results, errors, streams, order, plain messages beside them.
import assert from "node:assert/strict";
import { freshName, until, within } from "./harness.mjs";

async function stream(seen, args) {
  const chunks = [];
  const ends = [];
  const errors = [];
  const options = { onChunk: (c) => chunks.push(c), onDone: (v) => ends.push(v), onError: (e) => errors.push(e) };
  const outcome = await within(seen.client.call("count", args, options), "the stream's end").then(
    (value) => ({ value }),
    (error) => ({ error: error.message }),
  );
  return { chunks, ends, errors, ...outcome };
}

const refusal = (method, message, args = []) => ({
  name: `calling ${method} is answered with: ${message}`,
  async run({ open, agent }) {
    const seen = open({ agent, name: freshName("refusal") });
    await assert.rejects(seen.call(method, args), { message });
  },
});

export const rpcCases = [
  {
    name: "a call made before the socket is open is answered",
    async run({ open, agent }) {
      assert.equal(await open({ agent, name: freshName("early") }).call("add", [1, 2]), 3);
    },
  },
  {
    name: "results keep null, absence and objects apart",
    async run({ open, agent }) {
      const seen = open({ agent, name: freshName("results") });
      assert.equal(await seen.call("ret", ["null"]), null);
      assert.equal(await seen.call("ret", ["undefined"]), undefined);
      assert.deepEqual(await seen.call("ret", ["obj"]), { a: 1 });
      assert.equal(await seen.call("ret", ["date"]), "1970-01-01T00:00:00.000Z");
    },
  },
  refusal("missing", "Method missing does not exist"),
  refusal("notCallable", "Method notCallable is not callable"),
  refusal("toString", "Method toString is not callable"),
  refusal("setState", "Method setState is not callable", [{ count: 3 }]),
  refusal("fail", "typed boom", ["error"]),
  {
    name: "calling fail with a thrown string is answered with: Unknown error occurred",
    async run({ open, agent }) {
      const seen = open({ agent, name: freshName("refusal") });
      await assert.rejects(seen.call("fail", ["string"]), { message: "Unknown error occurred" });
    },
  },
  {
    name: "a stream delivers its chunks in order and ends",
    async run({ open, agent }) {
      const { chunks, ends, errors } = await stream(open({ agent, name: freshName("stream") }), [3]);
      assert.deepEqual({ chunks, ends, errors }, { chunks: [{ i: 0 }, { i: 1 }, { i: 2 }], ends: [undefined], errors: [] });
    },
  },
  {
    name: "a stream's end value is the result",
    async run({ open, agent }) {
      const { chunks, ends, value } = await stream(open({ agent, name: freshName("stream") }), [1, "endvalue"]);
      assert.deepEqual({ chunks, ends, value }, { chunks: [{ i: 0 }], ends: [{ final: true }], value: { final: true } });
    },
  },
  {
    name: "a stream that throws ends with the error",
    async run({ open, agent }) {
      const { chunks, errors, error } = await stream(open({ agent, name: freshName("stream") }), [1, "throw"]);
      assert.deepEqual({ chunks, errors, error }, { chunks: [{ i: 0 }], errors: ["stream boom"], error: "stream boom" });
    },
  },
  {
    name: "a stream that reports an error ends with it",
    async run({ open, agent }) {
      const { chunks, error } = await stream(open({ agent, name: freshName("stream") }), [1, "error"]);
      assert.deepEqual({ chunks, error }, { chunks: [{ i: 0 }], error: "explicit stream error" });
    },
  },
  {
    name: "a slow call does not hold up a fast one",
    async run({ open, agent }) {
      const seen = open({ agent, name: freshName("order") });
      const order = [];
      const slow = seen.call("later", [300]).then((value) => order.push(value));
      const fast = seen.call("add", [1, 1]).then((value) => order.push(value));
      await Promise.all([slow, fast]);
      assert.deepEqual(order, [2, "late"]);
    },
  },
  {
    name: "the stub calls methods by name",
    needs: "identity",
    async run({ open, agent }) {
      const seen = open({ agent, name: freshName("stub") });
      assert.equal(await within(seen.client.stub.add(4, 5), "stub.add"), 9);
    },
  },
  {
    name: "a call that times out on the client leaves the connection usable",
    needs: "identity",
    async run({ open, agent }) {
      const seen = open({ agent, name: freshName("timeout") });
      await assert.rejects(seen.call("later", [400], { timeout: 50 }), /timed out after 50ms/);
      assert.equal(await seen.call("add", [1, 2]), 3);
    },
  },
  {
    name: "a broadcast reaches every client",
    async run({ open, agent }) {
      const name = freshName("broadcast");
      const [first, second] = [open({ agent, name }), open({ agent, name })];
      await Promise.all([first.state({ count: 0 }), second.state({ count: 0 })]);
      assert.equal(await first.call("bc", ["hey"]), "ok");
      await until(() => first.messages.includes("hey") && second.messages.includes("hey"), "the broadcast on both");
    },
  },
  {
    name: "plain text and binary messages reach onMessage",
    async run({ open, agent }) {
      const seen = open({ agent, name: freshName("messages") });
      seen.client.binaryType = "arraybuffer";
      await seen.state({ count: 0 });
      seen.client.send("not json");
      seen.client.send(Uint8Array.from([1, 2, 3]));
      await until(() => seen.messages.includes("echo:not json"), "the echo");
      const binary = await until(() => seen.messages.find((data) => typeof data !== "string"), "the binary echo");
      assert.deepEqual([...new Uint8Array(binary)], [1, 2, 3]);
    },
  },
];
