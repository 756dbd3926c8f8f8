// What Hostel adds to the state, as unmodified clients experience it: fields they do not see or write, warnings they pass
// over, states of any size.
import assert from "node:assert/strict";
import { freshName, until } from "./harness.mjs";

const game = ({ open, generation }, name) => open({ agent: generation.kebab ? "MannersAgent" : "manners-agent", name });
const initial = { title: "", notes: "", guessCount: 0 };
const warnings = (seen) => seen.messages.map((text) => JSON.parse(text)).filter(({ type }) => type === "hostel_warning");

export const mannersCases = [
  {
    name: "private fields of the state never arrive and cannot be overwritten",
    async run(world) {
      const name = freshName("private");
      const [first, second] = [game(world, name), game(world, name)];
      await Promise.all([first.state(initial), second.state(initial)]);
      await first.call("hide", ["xyzzy"]);
      first.client.setState({ ...initial, title: "guess!", secretWord: "mine" });
      await second.state({ ...initial, title: "guess!" });
      assert.equal(await second.call("guess", ["xyzzy"]), true, "the word is stored, and still the server's");
      await game(world, name).state({ ...initial, title: "guess!", guessCount: 1 });
      const heard = [...first.messages, ...second.messages].join("\n");
      assert.ok(!heard.includes("xyzzy") && !heard.includes('"secretWord":'), heard);
    },
  },
  {
    name: "a field that only the server writes keeps its value and the sender is corrected",
    async run(world) {
      const name = freshName("server-only");
      const [first, second] = [game(world, name), game(world, name)];
      await Promise.all([first.state(initial), second.state(initial)]);
      await first.call("guess", ["a"]);
      const wanted = { title: "mine", notes: "", guessCount: 1 };
      first.client.setState({ ...wanted, guessCount: 99 });
      await Promise.all([first.state(wanted), second.state(wanted)]);
      const [warning] = await until(() => warnings(first).length && warnings(first), "the warning");
      assert.deepEqual([warning.code, warning.fields], ["state_fields_kept", ["guessCount"]]);
      assert.equal(warnings(second).length, 0);
    },
  },
  {
    name: "a state that drops keys is stored and its sender warned",
    async run(world) {
      const name = freshName("dropped");
      const [first, second] = [game(world, name), game(world, name)];
      await Promise.all([first.state(initial), second.state(initial)]);
      first.client.setState({ title: "only this", guessCount: 0 });
      await second.state({ ...initial, title: "only this" });
      const [warning] = await until(() => warnings(first).length && warnings(first), "the warning");
      assert.deepEqual([warning.code, warning.fields], ["state_keys_dropped", ["notes"]]);
      assert.equal(await first.call("guess", ["a"]), false, "the client goes on");
      assert.deepEqual(first.closes, []);
      assert.deepEqual(first.stateErrors, []);
    },
  },
  {
    name: "a state of 5 MiB arrives, also at a client that comes later",
    async run(world) {
      const name = freshName("big");
      const first = game(world, name);
      await first.state(initial);
      const length = 5 << 20;
      assert.equal(await first.call("grow", [length]), length);
      assert.equal(first.states.at(-1).state.notes.length, length);
      const second = game(world, name);
      await until(() => second.states.at(-1)?.state.notes.length === length, "the big state");
      assert.deepEqual([first.closes, second.closes], [[], []]);
    },
  },
];
