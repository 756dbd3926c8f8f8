// The harness notices what it must and excuses what it may.
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicaliser, madeUpNames } from "./canonical.mjs";
import { compare } from "./diff.mjs";
import { excuse, withoutMoves } from "./expected.mjs";
import { generation } from "./generations.mjs";
import { buildScript } from "./script.mjs";

const frame = (value) => ({ kind: "text", raw: JSON.stringify(value) });
const received = (value) => ({ conn: "a", dir: "recv", raw: JSON.stringify(value) });
const CONNECT = { conn: "a", event: "connect", url: "/agents/counter-agent/nap0b4?_pk=a" };
const identity = { type: "cf_agent_identity", name: "nap0b4", agent: "counter-agent", stateFollows: true };
const state = { type: "cf_agent_state", state: { count: 0 } };

function differences(lines, answers, version = "0.32.0") {
  const script = buildScript(lines);
  script.connections[0].actual = answers;
  const recorded = canonicaliser({ names: [["nap0b4", "<name0>"]], hosts: [] });
  const replayed = canonicaliser({ names: [["fresh-1", "<name0>"]], hosts: [] });
  return compare(script, recorded, replayed, generation(version));
}

test("the same answers under another instance name are equal", () => {
  const answers = [frame({ ...identity, name: "fresh-1" }), frame(state)];
  assert.deepEqual(differences([CONNECT, received(identity), received(state)], answers), []);
});

test("key order does not matter, values do", () => {
  const swapped = [frame({ state: { count: 0 }, type: "cf_agent_state" })];
  assert.deepEqual(differences([CONNECT, received(state)], swapped), []);
  const [difference] = differences([CONNECT, received(state)], [frame({ ...state, state: { count: 1 } })]);
  assert.equal(difference.kind, "changed");
});

test("a missing frame, an extra frame and a wrong order are each reported", () => {
  const lines = [CONNECT, received(identity), received(state)];
  const own = { ...identity, name: "fresh-1" };
  assert.deepEqual(differences(lines, [frame(own)]).map((d) => d.kind), ["missing"]);
  assert.deepEqual(differences(lines, [frame(own), frame(state), frame(state)]).map((d) => d.kind), ["extra"]);
  assert.equal(differences(lines, [frame(state), frame(own)]).length, 2);
});

test("absent and null results are different", () => {
  const lines = [CONNECT, received({ type: "rpc", id: "1", done: true, success: true })];
  assert.equal(differences(lines, [frame({ type: "rpc", id: "1", done: true, success: true, result: null })]).length, 1);
});

test("generated ids and times are not compared, chosen ids are", () => {
  const lines = [CONNECT, received({ id: "o99ElUA67mZuC-aw8VM6D", time: 1795324858, by: "conn-a" })];
  assert.deepEqual(differences(lines, [frame({ id: "Usq7LAALY1SdTDBQCQ7EB", time: 1795324999, by: "conn-a" })]), []);
  assert.equal(differences(lines, [frame({ id: "Usq7LAALY1SdTDBQCQ7EB", time: 1795324999, by: "conn-b" })]).length, 1);
});

test("a stack is compared by its message only", () => {
  const lines = [CONNECT, received({ error: "Error: boom\n    at onConnect (worker.js:1:2)" })];
  assert.deepEqual(differences(lines, [frame({ error: "Error: boom" })]), []);
  assert.equal(differences(lines, [frame({ error: "Error: other" })]).length, 1);
});

test("an identity frame is extra for a version that has it and ignored for one that has not", () => {
  const answers = [frame({ ...identity, name: "fresh-1" }), frame(state)];
  assert.equal(differences([CONNECT, received(state)], answers).length, 1);
  assert.deepEqual(differences([CONNECT, received(state)], answers, "0.0.43"), []);
});

test("a close with another code is a difference, answering a close without a code is not", () => {
  const closed = { conn: "a", event: "close", code: 1008, reason: "policy" };
  assert.equal(differences([CONNECT, closed], [{ kind: "close", code: 1011, reason: "policy" }]).length, 1);
  const lines = [CONNECT, { conn: "a", event: "client-close" }];
  assert.deepEqual(differences(lines, [{ kind: "close", code: 1005, reason: "" }]), []);
});

test("an entry excuses only what its patterns match", () => {
  const entries = [{ transcripts: "0\\.32\\.0-.*", where: "^conn a$", expected: "400", actual: null, reason: "r", used: 0 }];
  const difference = { where: "conn a", expected: "refused 400", actual: undefined };
  assert.equal(excuse(entries, "0.32.0-routing", difference)?.reason, "r");
  assert.equal(excuse(entries, "0.21.0-routing", difference), undefined);
  assert.equal(excuse(entries, "0.32.0-routing", { ...difference, actual: "upgrade 101" }), undefined);
});

test("what stands elsewhere is excused together with the place where it is missing, and only if it is the same", () => {
  const entries = [{ transcripts: "0\\.32\\.0-.*", where: "^conn a$", moved: "^list", reason: "r", used: 0 }];
  const missing = (expected, where = "conn a") => ({ where, kind: "missing", expected, actual: undefined });
  const extra = (actual, where = "conn a") => ({ where, kind: "extra", expected: undefined, actual });
  const rest = (...differences) => withoutMoves(entries, "0.32.0-x", differences).rest.map(({ kind }) => kind);
  assert.deepEqual(rest(missing("list 1"), extra("list 1")), []);
  assert.deepEqual(rest(missing("list 1")), ["missing"]);
  assert.deepEqual(rest(extra("list 1")), ["extra"]);
  assert.deepEqual(rest(missing("list 1"), extra("list 2")), ["missing", "extra"]);
  assert.deepEqual(rest(missing("list 1"), missing("list 1"), extra("list 1")), ["missing"]);
  assert.deepEqual(rest(missing("list 1"), extra("list 1", "conn b")), ["missing", "extra"]);
  assert.deepEqual(rest(missing("end"), extra("end")), ["missing", "extra"]);
  const changed = { where: "conn a", kind: "changed", expected: "list 1", actual: "end" };
  assert.deepEqual(rest(changed, extra("list 1")), ["extra"]);
  assert.equal(excuse(entries, "0.32.0-x", missing("list 1")), undefined);
});

test("names made up for a recording are found, fixed names are left alone", () => {
  const script = buildScript([CONNECT, { conn: "b", event: "connect", url: "/agents/coder-agent/x%20y" }]);
  assert.deepEqual(madeUpNames(script), ["nap0b4"]);
});

test("a socket that the recording client dropped midway is dropped midway", () => {
  const lines = [CONNECT, { conn: "a", event: "open" }, { conn: "a", event: "close", code: 1006 }, { ...CONNECT, conn: "b" }];
  assert.deepEqual(buildScript(lines).steps.map((step) => step.do), ["connect", "drop", "connect"]);
});
