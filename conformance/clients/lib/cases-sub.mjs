// Agents under an agent, as unmodified clients reach them.
import assert from "node:assert/strict";
import { freshName, until } from "./harness.mjs";

const below = (...steps) => steps.map(([slug, name]) => `sub/${slug}/${encodeURIComponent(name)}`).join("/");
const child = ({ open }, name, ...steps) => open({ agent: "ParentAgent", name, path: below(...steps) });

export const subCases = [
  {
    name: "a sub-agent has its own identity, state and methods",
    needs: "subAgents",
    async run(world) {
      const name = freshName("family");
      const [first, second] = [child(world, name, ["child-agent", "c 1/ü"]), child(world, name, ["child-agent", "c 1/ü"])];
      const parent = world.open({ agent: "ParentAgent", name });
      await Promise.all([first.state({ child: true }), second.state({ child: true }), parent.state({ parent: true })]);
      await until(() => first.identities.length, "the identity");
      assert.deepEqual(first.identities[0], { name: "c 1/ü", agent: "child-agent" });
      const path = JSON.stringify([{ className: "ParentAgent", name }]);
      assert.equal(await first.call("hi", ["me"]), `hi me from c 1/ü parent ${path}`);
      assert.equal(await parent.call("callChild", ["c 1/ü"]), `hi parent from c 1/ü parent ${path}`);
      first.client.setState({ child: "changed" });
      await second.state({ child: "changed" });
      assert.ok(!parent.states.some(({ state }) => "child" in state), "the parent hears nothing of it");
      assert.deepEqual(await parent.call("children", []), ["ChildAgent c 1/ü"]);
    },
  },
  {
    name: "sub-agents of a sub-agent are apart from those of its parent",
    needs: "subAgents",
    async run(world) {
      const name = freshName("nested");
      const outer = child(world, name, ["child-agent", "c"]);
      const inner = child(world, name, ["mid-agent", "m"], ["child-agent", "c"]);
      await Promise.all([outer.state({ child: true }), inner.state({ child: true })]);
      const path = JSON.stringify([{ className: "ParentAgent", name }, { className: "MidAgent", name: "m" }]);
      assert.equal(await inner.call("hi", ["me"]), `hi me from c parent ${path}`);
      outer.client.setState({ child: "outer" });
      await child(world, name, ["child-agent", "c"]).state({ child: "outer" });
      assert.ok(!inner.states.some(({ state }) => state.child === "outer"));
    },
  },
  {
    name: "a refused sub-agent is final, and a deleted one closes its sockets",
    needs: "subAgents",
    async run(world) {
      const name = freshName("refused");
      const denied = child(world, name, ["child-agent", "denied"]);
      const reason = "Sub-agent connection rejected (403)";
      await until(() => denied.connectionErrors.length, "the refusal");
      assert.deepEqual(denied.connectionErrors, [{ code: 4403, reason }]);
      const [room, parent] = [child(world, name, ["child-agent", "c"]), world.open({ agent: "ParentAgent", name })];
      await room.state({ child: true });
      room.client.setState({ child: "old" });
      await child(world, name, ["child-agent", "c"]).state({ child: "old" });
      assert.equal(await parent.call("deleteChild", ["c"]), true);
      await until(() => room.closes.some(({ code }) => code === 1001), "the close");
      await until(() => room.opens > 1, "the client to come back");
      const seen = room.states.length;
      await until(() => room.states.slice(seen - 1).some(({ state }) => state.child === true), "a new one's state");
    },
  },
];
