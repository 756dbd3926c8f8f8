// What people do in a chat, in two tabs of one conversation.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { freshName } from "../harness.mjs";
import { kebab, VERSIONS } from "../versions.mjs";
import { isIdle, openTab, sees, texts, tools } from "./tab.mjs";

export function story(world, version) {
  const can = abilities(version);
  let context;
  let one;
  let two;

  before(async () => {
    context = await world.browser.newContext();
    [one, two] = await freshTabs(world, context, version);
  });
  after(() => context?.close());

  const anew = async () => {
    await Promise.all([one.close(), two.close()]);
    [one, two] = await freshTabs(world, context, version);
  };
  const both = (wanted, what) => Promise.all([one, two].map((tab) => sees(tab, wanted, what)));

  test(`${version}: a message is answered in both tabs`, async () => {
    await one.act("send", "hello there");
    await both((view) => isIdle(view) && answered(view, "You said: hello there"), "the answer");
    await same(one, two);
  });

  test(`${version}: a slow answer is seen as it grows, in the tab that did not ask as well`, async () => {
    await two.act("send", "slow one two three");
    await sees(two, (view) => /You said: slow$/.test(last(view)) || (view.busy && /You said/.test(last(view))), "the beginning");
    if (can.observe) await sees(one, (view) => /^You said: slow/.test(last(view)) && !/three/.test(last(view)), "the beginning");
    await both((view) => isIdle(view) && answered(view, "You said: slow one two three"), "the answer");
    await same(one, two);
  });

  test(`${version}: a tool of the page is called, and the agent goes on with its result`, async () => {
    await anew();
    await one.act("send", "tool");
    await both((view) => isIdle(view) && answered(view, "continued") && tools(view).every(isSettled), "what follows the call");
    const [call] = tools(await one.view());
    assert.equal(call.name, "getLocation");
    assert.ok(["a", "b"].includes(call.output.city), JSON.stringify(call));
    await same(one, two);
  });

  test(`${version}: a call waits for an approval and goes on after it`, { skip: !can.approve }, async () => {
    await anew();
    await one.act("send", "approval");
    const asked = (view) => tools(view).some((call) => call.name === "danger" && call.state !== "settled");
    await both((view) => asked(view) && view.status !== "streaming", "the question");
    await two.act("approve", "ap1", "danger", true);
    await both((view) => isIdle(view) && answered(view, "continued"), "what follows the approval");
  });

  test(`${version}: stop ends the answer in both tabs and keeps what was said`, { skip: !can.stop }, async () => {
    await anew();
    await one.act("send", "slow one two three four five six seven eight nine ten");
    await sees(one, (view) => /slow/.test(last(view)), "the beginning");
    await one.act("stop");
    await both((view) => !view.busy && /^You said: slow/.test(last(view)) && !/ten/.test(last(view)), "a stopped answer");
    // Also words that were on their way when it stopped.
    await same(one, two);
    const said = last(await two.view());
    await one.reload();
    await both((view) => !view.busy && last(view) === said, "what was said before the stop");
    await same(one, two);
    await one.act("send", "after");
    await both((view) => isIdle(view) && answered(view, "You said: after"), "the answer after a stop");
  });

  test(`${version}: what follows a stop at once is not undone by it`, { skip: !can.stop }, async () => {
    await anew();
    const begun = (word) => sees(one, (view) => view.busy && last(view).includes(`slow ${word}`), "the beginning");
    await one.act("send", "slow one two three");
    await begun("one");
    await one.act("stopAnd", "again");
    await both((view) => isIdle(view) && view.messages.length === 2 && answered(view, "You said: slow one two three"), "the answer, once");
    await same(one, two);
    await one.act("send", "slow four five six");
    await begun("four");
    await one.act("stopAnd", "send", "after");
    await both((view) => isIdle(view) && view.messages.length === 6 && answered(view, "You said: after"), "both, and what was said before the stop");
    await same(one, two);
    await one.act("send", "slow seven eight nine");
    await begun("seven");
    await one.act("stopAnd", "clear");
    await both((view) => !view.busy && view.messages.length === 0, "nothing");
    await one.act("send", "again");
    await both((view) => isIdle(view) && view.messages.length === 2 && answered(view, "You said: again"), "an answer after clearing");
    await same(one, two);
  });

  test(`${version}: a page that is loaded again in mid-answer shows all of it, once`, { skip: !can.resume }, async () => {
    await anew();
    await one.act("send", "slow one two three four five six seven");
    await sees(one, (view) => /one/.test(last(view)), "the beginning");
    await one.reload();
    await both((view) => isIdle(view) && answered(view, "You said: slow one two three four five six seven"), "the whole answer");
    assert.equal((await one.view()).messages.length, 2);
    await same(one, two);
  });

  test(`${version}: onTurnEnd hears each end once, and once more in a page that is loaded`, { skip: !can.turnEnds }, async () => {
    await anew();
    await one.act("send", "hello");
    const heard = (view) => view.ends.map(({ outcome, replay }) => `${outcome} ${replay ? "before" : "now"}`);
    const hears = (tab, ends, what) => sees(tab, (view) => isIdle(view) && heard(view).join() === ends.join(), what);
    await hears(one, ["completed now"], "an end");
    await two.reload();
    await hears(two, ["completed before"], "the end of what was said before it was loaded");
    await one.act("send", "hello again");
    await hears(one, ["completed now", "completed now"], "two ends");
    await hears(two, ["completed before", "completed now"], "an end before and one now");
    const [before, now] = (await two.view()).ends;
    assert.deepEqual([before.requestId, now.requestId], (await one.view()).ends.map(({ requestId }) => requestId));
  });

  test(`${version}: regenerate replaces the last answer`, async () => {
    await anew();
    await one.act("send", "hello");
    await both((view) => isIdle(view) && answered(view, "You said: hello"), "the answer");
    await one.act("again");
    await sees(one, (view) => view.busy || isIdle(view), "the question again");
    await both((view) => isIdle(view) && view.messages.length === 2 && answered(view, "You said: hello"), "one answer");
    await same(one, two);
  });

  test(`${version}: clear empties both tabs`, async () => {
    await one.act("clear");
    await both((view) => view.messages.length === 0, "nothing");
    await one.act("send", "again");
    await both((view) => isIdle(view) && answered(view, "You said: again"), "an answer after clearing");
    await same(one, two);
  });

  test(`${version}: a handler that fails, and an error in the stream, are shown and the chat goes on`, async () => {
    for (const [said, shown] of [["throw", /chat boom/], ["errchunk", /mid stream/]]) {
      await anew();
      await one.act("send", said);
      await sees(one, (view) => view.status === "error" && shown.test(view.error), `the reason of ${said}`);
      await sees(two, (view) => !view.busy, "rest");
      await one.act("send", "hello");
      await both((view) => !view.busy && answered(view, "You said: hello"), "the next answer");
    }
  });
}

/** What a generation can do at all. */
export function abilities(version) {
  const isV4 = version.startsWith("0.0.");
  // 0.0.43 has no approvals but the old words, does not tell anybody of a stop, and sees other tabs' turns at their end.
  return { approve: true, stop: !isV4, resume: !isV4, observe: !isV4, turnEnds: version === "0.32.0" };
}

/** Two tabs of a new conversation; `pages` is where each finds page and agent. */
export async function freshTabs(world, context, version, pages = [world.page, world.page], agent = "ChatAgent") {
  const options = { generation: version, agent: VERSIONS[version].kebab ? agent : kebab(agent), name: freshName("chat") };
  return Promise.all(pages.map((page, at) => openTab(context, { ...options, page, label: "ab"[at] })));
}

const last = (view) => texts(view, "assistant").at(-1) ?? "";
const answered = (view, text) => view.messages.at(-1)?.role === "assistant" && last(view).includes(text);
const isSettled = (call) => call.state === "settled";

/** Both tabs, and a page loaded now, show the same messages. */
async function same(one, two) {
  const deadline = Date.now() + 3000;
  for (;;) {
    const views = [await one.view(), await two.view()].map((view) => view.messages);
    try {
      assert.deepEqual(views[1], views[0]);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
