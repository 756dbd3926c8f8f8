// What has to be so at the end, whenever the server was killed.
import assert from "node:assert/strict";
import { openPage } from "./page.mjs";
import { calls, difference, scrub, talk, withoutLooking } from "./talk.mjs";
import { openTerminal } from "./terminal.mjs";

/** All of it; `calm` is the session that nobody disturbed. */
export async function agreed(world, it, calm) {
  sameAsCalm(it, calm);
  once(it, calm);
  await threeViews(world, it);
  noErrors(it, await it.page.wrong(), world.server.log());
}

function sameAsCalm(it, calm) {
  alike(it.left, calm.left, "files, history, or what is at GitHub");
  const messages = it.broken.length ? withoutLooking(it.messages) : it.messages;
  alike(talk(messages), talk(calm.messages), "the conversation");
}

// The whole of both values would be pages.
function alike(one, two, what) {
  const found = difference(one, two);
  assert.ok(!found, `${what}: ${found}`);
}

function sameLines(one, two, what) {
  const at = one.findIndex((line, index) => line !== two[index]);
  assert.ok(at < 0 && one.length === two.length, `${what}: at line ${at}\n${one.slice(at - 3, at + 6).join("\n")}\n-- instead of\n${two.slice(at - 3, at + 6).join("\n")}`);
}

// A command is begun once. Whose end nobody knows is said to be so, is not run again by itself, and what the model has done about it stands there.
function once(it, calm) {
  assert.ok(it.broken.length <= 1, "one kill breaks off one command at most");
  if (!it.broken.length) return assert.deepEqual(it.ran, calm.ran, "commands that were run");
  assert.ok(it.struck.length, "commands end by themselves");
  const counted = (line) => it.ran.filter((one) => one === line).length;
  assert.deepEqual(["second begun", "second over"].map(counted), [1, 1], it.ran.join());
  assert.ok(counted("first begun") <= 1 && counted("first over") <= counted("first begun"), it.ran.join());
}

async function threeViews(world, it) {
  alike(talk(it.socket.view()), talk(it.messages), "the raw socket");
  const [page, terminal] = await Promise.all([openPage(world.browser, world.url, it.name), openTerminal(world.hostel, world.url, it.name)]);
  const settled = calls(it.messages).map((call) => call.replace("output-available", "done").replace("output-error", "failed"));
  try {
    await until(async () => {
      sameLines((await it.page.sees()).split("\n"), (await page.sees()).split("\n"), "the page, and one opened now");
      const shown = (await it.page.calls()).map((call) => call.split(" "));
      assert.deepEqual(shown.map(([tool]) => tool), settled.map((call) => call.split(" ")[0]), "calls on the page");
      // In another order: what a call comes to stands behind it at last, and below all calls of its step while one looks on.
      sameLines(it.terminal.shows().sort(), terminal.shows().sort(), "the terminal, and one opened now");
    });
  } finally {
    await Promise.all([page.close(), terminal.close()]);
  }
  assert.equal(await it.terminal.close(), 0, "how the terminal ends");
}

function noErrors({ socket, terminal }, wrong, log) {
  assert.deepEqual(socket.errors, [], "frames of errors");
  assert.deepEqual(wrong, [], "errors on the page");
  assert.deepEqual(terminal.errors(), [], "errors at the terminal");
  assert.doesNotMatch(scrub(log), /panicked|"level":"error"| ERROR /i);
}

async function until(check, limit = 20_000) {
  const end = Date.now() + limit;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}
