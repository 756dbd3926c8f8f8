// agentFetch and the plain partysocket client.
import assert from "node:assert/strict";
import PartySocket from "partysocket";
import { freshName, until } from "./harness.mjs";

export const agentFetchCases = [
  {
    name: "agentFetch reaches onRequest with path, query, method and body",
    async run({ agent, slug, host, generation }) {
      const name = freshName("fetch");
      const options = { agent, name, host, path: "extra/path", query: { x: "1" } };
      const answer = await generation.agentFetch(options, { method: "POST", body: "hello" });
      const { method, url, body, name: own } = await answer.json();
      assert.deepEqual([answer.status, method, body, own], [200, "POST", "hello", name]);
      assert.equal(new URL(url).pathname, `/agents/${slug}/${name}/extra/path`);
      assert.equal(new URL(url).searchParams.get("x"), "1");
    },
  },
  {
    name: "agentFetch sees the status of an agent without onRequest",
    async run({ host, generation }) {
      const answer = await generation.agentFetch({ agent: "lowername", name: freshName("fetch"), host });
      assert.deepEqual([answer.status, await answer.text()], [404, "Not implemented"]);
    },
  },
  {
    name: "agentFetch sees an exception as status 500 with its text",
    async run({ agent, host, generation }) {
      const answer = await generation.agentFetch({ agent, name: freshName("fetch"), host, path: "boom" });
      assert.equal(answer.status, 500);
      assert.match(await answer.text(), /^Error: boom http/);
    },
  },
];

export const partySocketCases = [
  {
    name: "partysocket alone gets the frames and speaks them",
    once: true,
    async run({ host, slug }) {
      const frames = [];
      const socket = new PartySocket({ host, prefix: "agents", party: slug, room: freshName("party"), id: "my-own-id" });
      try {
        socket.addEventListener("message", ({ data }) => frames.push(JSON.parse(data)));
        await until(() => frames.length === 3, "identity, state and MCP servers");
        const types = frames.map(({ type }) => type);
        assert.deepEqual(types, ["cf_agent_identity", "cf_agent_state", "cf_agent_mcp_servers"]);
        socket.send(JSON.stringify({ type: "rpc", id: "1", method: "add", args: [1, 2] }));
        await until(() => frames.length === 4, "the result");
        assert.deepEqual(frames[3], { type: "rpc", id: "1", success: true, done: true, result: 3 });
      } finally {
        socket.close();
      }
    },
  },
  {
    name: "partysocket's id is the connection's id",
    once: true,
    async run({ host, slug, url }) {
      const room = freshName("party");
      const socket = new PartySocket({ host, prefix: "agents", party: slug, room, id: "my-own-id" });
      try {
        await until(() => socket.readyState === 1, "the socket to open");
        const connections = await (await fetch(`${url}/agents/${slug}/${room}/conns`)).json();
        assert.deepEqual(connections.map(({ id, tags }) => [id, tags]), [["my-own-id", ["my-own-id"]]]);
      } finally {
        socket.close();
      }
    },
  },
];
