// What every published client must experience. Each case: a name, an optional requirement on the
// generation, and a function that gets the generation, a fleet of clients and the server's address.
import assert from "node:assert/strict";
import { agentFetchCases, partySocketCases } from "./cases-http.mjs";
import { connectionCases } from "./cases-connection.mjs";
import { mannersCases } from "./cases-manners.mjs";
import { rpcCases } from "./cases-rpc.mjs";
import { subCases } from "./cases-sub.mjs";
import { freshName, until } from "./harness.mjs";

const stateCases = [
  {
    name: "initial state arrives on connect",
    async run({ open, agent }) {
      await open({ agent, name: freshName("initial") }).state({ count: 0 });
    },
  },
  {
    name: "state set by one client is seen by another and not echoed to the sender",
    async run({ open, agent }) {
      const name = freshName("sync");
      const [first, second] = [open({ agent, name }), open({ agent, name })];
      await Promise.all([first.state({ count: 0 }), second.state({ count: 0 })]);
      first.client.setState({ count: 5 });
      await second.state({ count: 5 });
      assert.deepEqual(first.states.filter(({ state }) => state.count === 5), [{ state: { count: 5 }, source: "client" }]);
    },
  },
  {
    name: "state set by the server reaches every client, the caller before its result",
    async run({ open, agent }) {
      const name = freshName("server-state");
      const [caller, other] = [open({ agent, name }), open({ agent, name })];
      await Promise.all([caller.state({ count: 0 }), other.state({ count: 0 })]);
      assert.equal(await caller.call("inc", [2]), 2);
      assert.deepEqual(caller.states.at(-1), { state: { count: 2 }, source: "server" });
      await other.state({ count: 2 });
    },
  },
  {
    name: "a refused state is not stored and, where the client knows the frame, reported",
    async run({ open, agent, generation }) {
      const name = freshName("refused");
      const [first, second] = [open({ agent, name }), open({ agent, name })];
      await Promise.all([first.state({ count: 0 }), second.state({ count: 0 })]);
      first.client.setState({ count: 666 });
      if (generation.stateError) {
        await until(() => first.stateErrors.length, "onStateUpdateError");
        assert.deepEqual(first.stateErrors, ["State update rejected"]);
      }
      assert.equal(await first.call("inc", [1]), 1, "the refused value must not have been stored");
      assert.ok(!second.states.some(({ state }) => state.count === 666));
    },
  },
  {
    name: "state survives the last client leaving",
    async run({ open, agent }) {
      const name = freshName("again");
      const first = open({ agent, name });
      await first.call("inc", [7]);
      first.client.close();
      await open({ agent, name }).state({ count: 7 });
    },
  },
];

export const CASES = [
  ...connectionCases,
  ...stateCases,
  ...mannersCases,
  ...rpcCases,
  ...subCases,
  ...agentFetchCases,
  ...partySocketCases,
];
