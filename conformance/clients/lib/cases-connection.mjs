// Connecting, identity, names, reconnection, close codes, connection flags.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { freshName, until, within } from "./harness.mjs";
import { kebab } from "./versions.mjs";

// A server may leave the TCP connection open for seconds after its close frame; the client waits for it.
const SLOW_CLOSE = 15_000;

async function closeAll({ url, slug }, name, code, reason) {
  const answer = await fetch(`${url}/agents/${slug}/${name}/closeall?code=${code}&reason=${reason}`);
  assert.equal(await answer.text(), "closed");
}

export const connectionCases = [
  {
    name: "connects and, where the client knows identity, becomes ready with it",
    async run({ open, agent, slug, generation }) {
      const name = freshName("ready");
      const seen = open({ agent, name });
      await seen.opened();
      if (!generation.identity) return;
      await within(seen.client.ready, "client.ready");
      assert.deepEqual([seen.client.identified, seen.client.name, seen.client.agent], [true, name, slug]);
      assert.deepEqual(seen.identities, [{ name, agent: slug }]);
    },
  },
  {
    name: "state is known when ready resolves",
    needs: "identity",
    async run({ open, agent, generation }) {
      if (generation.version === "0.21.0") return; // waits for identity only; see stateFollows
      const seen = open({ agent, name: freshName("known") });
      await within(seen.client.ready, "client.ready");
      assert.deepEqual(seen.client.state, { count: 0 });
    },
  },
  {
    name: "a name with a space is answered with its encoded form",
    needs: "identity",
    async run({ open, agent }) {
      const name = freshName("My Room");
      const seen = open({ agent, name });
      await within(seen.client.ready, "client.ready");
      assert.equal(seen.client.name, encodeURI(name));
    },
  },
  {
    name: "an agent nobody serves never opens as if it were there",
    async run({ open }) {
      const seen = open({ agent: "nope", name: freshName("nobody") });
      await until(() => seen.closes.length > 0, "the close event", SLOW_CLOSE);
      assert.deepEqual([seen.states, seen.identities], [[], []]);
    },
  },
  {
    name: "a class name in its written form reaches the class",
    async run({ open }) {
      const seen = open({ agent: "CoderAgent", name: freshName("spelling") });
      await seen.state({ count: 0 });
    },
  },
  {
    name: "a class name in lower case reaches the class",
    async run({ open, generation }) {
      const seen = open({ agent: "coderagent", name: freshName("spelling") });
      await seen.state({ count: 0 });
      if (generation.identity) assert.equal(seen.client.agent, kebab("CoderAgent"));
    },
  },
  {
    name: "an agent without state becomes ready without a state",
    needs: "identity",
    async run({ open }) {
      const seen = open({ agent: "lowername", name: freshName("plain") });
      await within(seen.client.ready, "client.ready");
      assert.deepEqual([seen.client.agent, seen.client.state, seen.states], ["plain-agent", undefined, []]);
    },
  },
  {
    name: "basePath reaches the instance the application chose",
    needs: "basePath",
    async run({ open, agent, generation }) {
      const seen = open({ agent, basePath: "user" });
      await seen.state({ count: 0 });
      assert.equal(await seen.call("add", [20, 22]), 42);
      if (generation.identity) assert.equal(seen.client.name, "the-user");
    },
  },
  {
    name: "comes back after the server closed with 1000 and is sent the current state",
    async run({ open, agent, ...server }) {
      const name = freshName("closed");
      const seen = open({ agent, name });
      await seen.state({ count: 0 });
      await closeAll(server, name, 1000, "bye");
      await fetch(`${server.url}/agents/${server.slug}/${name}`);
      await until(() => seen.opens === 2, "a second open", SLOW_CLOSE);
      assert.deepEqual(seen.closes[0], { code: 1000, reason: "bye" });
      await until(() => seen.states.length === 2, "the state again");
      assert.equal(await seen.call("inc", [1]), 1);
    },
  },
  {
    name: "1008 ends reconnection for clients that know terminal codes, others come back",
    async run({ open, agent, generation, ...server }) {
      const name = freshName("terminal");
      const seen = open({ agent, name });
      await seen.state({ count: 0 });
      await closeAll(server, name, 1008, "policy");
      await until(() => seen.closes.length === 1, "the close event", SLOW_CLOSE);
      assert.deepEqual(seen.closes[0], { code: 1008, reason: "policy" });
      if (!generation.terminalClose) return void (await until(() => seen.opens === 2, "a second open"));
      await sleep(1000);
      assert.equal(seen.opens, 1, "a client that knows terminal codes must stay closed");
      assert.deepEqual(seen.connectionErrors, [{ code: 1008, reason: "policy" }]);
    },
  },
  {
    name: "an unanswered call is rejected when the server closes",
    needs: "identity",
    async run({ open, agent, ...server }) {
      const name = freshName("pending");
      const seen = open({ agent, name });
      await seen.state({ count: 0 });
      const call = assert.rejects(seen.client.call("later", [60_000]), /Connection closed/);
      await seen.call("add", [1, 1]);
      await closeAll(server, name, 1000, "bye");
      await within(call, "the rejection", SLOW_CLOSE);
    },
  },
  {
    name: "an agent that cannot start says so in an error frame and closes so that the client tries again",
    async run({ open }) {
      const seen = open({ agent: "start-fail-agent", name: freshName("setup") });
      await until(() => seen.closes.length > 0, "the close event", SLOW_CLOSE);
      const [{ code, reason }] = seen.closes;
      assert.ok([1011, 1012, 1013].includes(code), `close code ${code}`);
      assert.notEqual(reason, "");
      assert.match(JSON.parse(seen.messages[0]).error, /start boom|experiencing connection issues|failed to start/);
      await until(() => seen.opens > 1, "another attempt", SLOW_CLOSE);
    },
  },
  {
    name: "a read-only connection is refused writes and still reads",
    async run({ open, generation }) {
      const name = freshName("readonly");
      const agent = "r-o-agent";
      const writer = open({ agent, name });
      const reader = open({ agent, name, query: { ro: "1" } });
      await Promise.all([writer.state({ v: 1 }), reader.state({ v: 1 })]);
      reader.client.setState({ v: 2 });
      await assert.rejects(reader.call("setIt", [3]), /Connection is readonly/);
      assert.deepEqual(await reader.call("getIt", []), { v: 1 });
      if (generation.stateError) assert.deepEqual(reader.stateErrors, ["Connection is readonly"]);
      writer.client.setState({ v: 4 });
      await reader.state({ v: 4 });
    },
  },
  {
    name: "a connection without protocol frames gets none and can still call",
    async run({ open }) {
      const seen = open({ agent: "r-o-agent", name: freshName("quiet"), query: { proto: "0" } });
      await seen.opened();
      assert.deepEqual(await seen.call("getIt", []), { v: 1 });
      const types = seen.messages.map((data) => JSON.parse(data).type);
      assert.deepEqual(types, ["rpc"]);
    },
  },
  {
    name: "the client's own close is answered with its code",
    async run({ open, agent }) {
      const seen = open({ agent, name: freshName("leaving") });
      await seen.state({ count: 0 });
      seen.client.close(4001, "custom");
      await until(() => seen.closes.length === 1, "the close event", SLOW_CLOSE);
      assert.equal(seen.closes[0].code, 4001);
    },
  },
];
