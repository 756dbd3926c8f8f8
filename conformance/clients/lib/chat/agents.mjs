// An agent that another runs as a tool, as `useAgentToolEvents` shows it in two tabs: live, after a reload, stopped, and
// with the server killed in the middle.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { kebab } from "../versions.mjs";
import { freshTabs } from "./story.mjs";
import { isIdle, openTab, sees, texts } from "./tab.mjs";

const SAID = "find slow pirates";
const WHOLE = "I look for pirates now.|Here is pirates: gold";

export function agents(world, version) {
  if (version.startsWith("0.0.") || version.startsWith("0.2.")) return;
  let context;
  let one;
  let two;

  before(async () => {
    context = await world.browser.newContext();
  });
  after(() => context?.close());

  const anew = async () => {
    await Promise.all([one, two].map((tab) => tab?.close()));
    [one, two] = await freshTabs(world, context, version, undefined, "TeamAgent");
  };
  const both = (wanted, what) => Promise.all([one, two].map((tab) => sees(tab, wanted, what, 20_000)));
  const isThrough = (view) => isIdle(view) && view.runs[0]?.status === "completed" && texts(view, "assistant").at(-1)?.startsWith("Found: ");

  /** All tabs, and one opened now, show the same run: whole, and nothing of it twice. */
  const agreed = async () => {
    const [view, other] = await both(isThrough, "the end of the run");
    const fresh = await openTab(context, { ...one.options, label: "c" });
    const loaded = await sees(fresh, (view) => view.runs[0]?.status === "completed" && view.messages.length === 2, "the run");
    await fresh.close();
    for (const [run, where] of [[view.runs, "the first tab"], [other.runs, "the second tab"], [loaded.runs, "a tab opened now"]]) {
      assert.equal(run.length, 1, where);
      assert.equal(run[0].text, WHOLE, where);
      assert.deepEqual(run[0].tools, view.runs[0].tools, where);
    }
    assert.deepEqual(loaded.messages, view.messages);
    return view.runs[0];
  };

  test(`${version}: what an agent below does is seen in both tabs, as it does it`, async () => {
    await anew();
    await one.act("send", SAID);
    const tells = version === "0.32.0" ? (run) => run.said?.startsWith("I look") : () => true;
    await both((view) => view.runs[0]?.status === "running" && tells(view.runs[0]), "what it is saying");
    const digs = (run) => run?.status === "running" && run.tools[0]?.state === "input-available";
    await both((view) => digs(view.runs[0]), "the tool it runs");
    const run = await agreed();
    assert.deepEqual([run.agent, run.name, run.input], ["WorkerAgent", "Worker", '{"task":"slow pirates"}']);
    assert.equal(run.id, `agent-tool:${run.call}`);
    assert.equal(run.summary, WHOLE.replace("|", ""));
  });

  test(`${version}: the agent below has a place of its own, under the one above`, async () => {
    const [run] = (await one.view()).runs;
    const { name } = one.options;
    const at = `/agents/team-agent/${name}/sub/${kebab(run.agent)}/${encodeURIComponent(run.id)}/get-messages`;
    const messages = await (await fetch(new URL(at, world.url))).json();
    assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant"]);
  });

  test(`${version}: stopping the answer stops the agent below`, async () => {
    await anew();
    await one.act("send", SAID);
    await both((view) => view.runs[0]?.tools[0]?.state === "input-available", "the tool it runs");
    await one.act("stop");
    await both((view) => !view.busy && view.runs[0]?.status === "aborted", "a run that was stopped");
  });

  test(`${version}: a run goes on after kill -9, and is shown once`, async () => {
    for (const moment of ["in its words", "in its tool", "after its tool"]) {
      await anew();
      await one.act("send", SAID);
      const there = {
        "in its words": (run) => run?.status === "running" && (run.said || version !== "0.32.0"),
        "in its tool": (run) => run?.tools[0]?.state === "input-available",
        "after its tool": (run) => run?.tools[0]?.state === "settled",
      }[moment];
      await sees(one, (view) => there(view.runs[0]), `a run ${moment}`);
      await world.agents.kill();
      await world.agents.start();
      await agreed();
    }
  });
}
