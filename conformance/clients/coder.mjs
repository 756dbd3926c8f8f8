// The coding agent from end to end, as processes: it clones over HTTP, edits, runs tests in the sandbox, commits, pushes, and opens a pull
// request; asked about by turns at the page in Chromium, at a terminal and on a raw socket; and the server killed at each step.
//   node coder.mjs --hostel PATH/TO/hostel        hostel-fake-github is looked for beside it
//     [--kills frames,door,commands | few | none]  (few: each kind of moment once, for every run of CI)
//     [--from K] [--to K] [--every N] (of frames) [--at JSON] (only there, as a test is named)
//     [--workers N] (so many sessions side by side) [--ledger FILE] (what went well is left out the next time) [--chromium PATH]
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseArgs } from "node:util";
import { agreed } from "./lib/coder/agreed.mjs";
import { ledger, moments } from "./lib/coder/moments.mjs";
import { session } from "./lib/coder/session.mjs";
import { openBrowser, openWorld } from "./lib/coder/world.mjs";

const { values: flags } = parseArgs({
  options: {
    hostel: { type: "string" },
    kills: { type: "string", default: "frames,door,commands" },
    every: { type: "string", default: "1" },
    from: { type: "string", default: "1" },
    to: { type: "string", default: "Infinity" },
    workers: { type: "string", default: "1" },
    ledger: { type: "string" },
    at: { type: "string", multiple: true },
    chromium: { type: "string", default: "/usr/bin/chromium" },
  },
});
if (!flags.hostel) {
  console.error("give --hostel PATH/TO/hostel");
  process.exit(2);
}

const worlds = [];
before(async () => {
  const browser = await openBrowser(flags.chromium);
  for (let n = 0; n < Number(flags.workers); n++) worlds.push(await openWorld(flags.hostel, browser));
});
after(async () => {
  for (const world of worlds) await world.close();
  await worlds[0]?.browser.close();
});

test("undisturbed, a clone becomes a pull request, and three clients show the same", async () => {
  await Promise.all(worlds.map(undisturbed));
  const [{ calm }] = worlds;
  console.log(`# ${calm.steps.length} steps of frames, ${calm.requests} requests of GitHub`);
});

async function undisturbed(world) {
  const calm = await session(world);
  try {
    assert.deepEqual(calm.ran, ["first begun", "first over"]);
    assert.deepEqual(calm.left.writes, ["ada: PUSH /ada/ms refs/heads/months", "ada: POST /repos/ada/ms/pulls", "ada: POST /repos/ada/ms/issues/1/comments"]);
    assert.equal(calm.left.pulls.length, 1);
    await agreed(world, calm, calm);
    world.calm = calm;
  } finally {
    await calm.close();
  }
}

test("killed at any of these moments, it ends as if it had not been", { skip: flags.kills === "none", concurrency: Number(flags.workers) }, async (t) => {
  assert.ok(worlds.every(({ calm }) => calm), "there is nothing to compare with");
  const book = ledger(flags.ledger);
  const left = moments(flags, worlds[0].calm).filter((kill) => !book.has(kill));
  // Each takes the next as soon as it is free.
  const work = async (world) => {
    for (let kill = left.shift(); kill; kill = left.shift()) await t.test(JSON.stringify(kill), () => noted(book, world, kill));
  };
  await Promise.all(worlds.map(work));
});

async function noted(book, world, kill) {
  const began = Date.now();
  const note = (rest) => book.note({ kill, ms: Date.now() - began, ...rest });
  try {
    note({ ok: true, ...(await killed(world, kill)) });
  } catch (error) {
    note({ ok: false, why: error.message });
    throw error;
  }
}

async function killed(world, kill) {
  const it = await session(world, kill);
  try {
    assert.equal(it.struck.length, [kill].flat().length, `the server was killed each time: ${it.struck}`);
    await agreed(world, it, world.calm);
    return { struck: it.struck, broken: it.broken.length };
  } finally {
    await it.close();
  }
}
