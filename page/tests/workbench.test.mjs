// Beside the talk: files, changes, terminals, commands by hand, the list of conversations, and how the agent works.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { allow, answered, freshName, opened, say, tab, world, written } from "./world.mjs";

/** Ctrl+J many times before the page draws again, and until it has. */
const press = (page, times) =>
  page.evaluate((times) => {
    for (let at = 0; at < times; at++) document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", ctrlKey: true, bubbles: true }));
    return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  }, times);

/** Types a line into the terminal. */
async function typed(page, line) {
  await page.locator(".terminal textarea").focus();
  await page.keyboard.type(`${line}\n`);
}

describe("the workbench", () => {
  const it = world();

  test("files are a tree, and are read in colours; a new file appears by itself", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await opened(page, "Files");
    await page.getByText("The workspace is empty.").waitFor();
    await written(page, "src/main.rs", 'fn main() {\n    println!("hello");\n}\n');
    await page.getByRole("treeitem", { name: "src" }).click();
    await page.getByRole("treeitem", { name: "main.rs" }).click();
    const viewer = page.locator(".viewer");
    await viewer.locator(".hljs-keyword").filter({ hasText: "fn" }).waitFor();
    assert.match(await viewer.locator(".numbers").innerText(), /1\s+2\s+3/);
    await page.getByRole("searchbox", { name: "Search in files" }).fill("println");
    await page.locator(".found").filter({ hasText: "src/main.rs:2" }).waitFor();
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("changes since the last commit are listed and compared", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await opened(page, "Changes");
    await written(page, "notes.txt", "one\ntwo\n");
    await page.getByText("No repository in this workspace yet").waitFor();
    await say(page, 'use git_commit {"message": "Begin"}');
    await allow(page);
    await answered(page, "The tool answered");
    await page.getByText("Nothing changed since the last commit.").waitFor();
    await written(page, "notes.txt", "one\n2\n");
    await page.locator(".changed").filter({ hasText: "notes.txt" }).waitFor();
    await page.locator(".changes .diff tr.new").filter({ hasText: "2" }).waitFor();
    assert.equal(await page.getByRole("tab", { name: /^Changes/ }).locator(".number").innerText(), "1");
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("a terminal is a shell in the workspace, and is still there after a reload", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await opened(page, "Terminal");
    await page.getByRole("button", { name: "Open a terminal" }).click();
    const screen = page.locator(".terminal .xterm-rows");
    await screen.filter({ hasText: /\S/ }).waitFor();
    await typed(page, "echo so-$((40 + 2))");
    await screen.filter({ hasText: "so-42" }).waitFor();
    await page.reload();
    await screen.filter({ hasText: "so-42" }).waitFor();
    await page.locator(".terminal textarea").press("Control+`");
    await page.locator(".workbench").waitFor({ state: "detached" });
    await page.keyboard.press("Control+`");
    await screen.filter({ hasText: "so-42" }).waitFor();
    await typed(page, "exit");
    await page.locator(".terminal-frame .ended").waitFor();
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("what is typed goes in its order, and the next piece when the one before was taken", async () => {
    const context = await it.context();
    const pieces = [];
    const [open, most] = [new Set(), { open: 0 }];
    const sent = ({ id, method, args }) => method === "terminalInput" && (pieces.push(args[0].data), open.add(id), (most.open = Math.max(most.open, open.size)));
    const read = (frame, take) => typeof frame.payload === "string" && frame.payload.startsWith("{") && take(JSON.parse(frame.payload));
    context.on("page", (page) => page.on("websocket", (socket) => {
      socket.on("framesent", (frame) => read(frame, sent));
      socket.on("framereceived", (frame) => read(frame, ({ type, id }) => type === "rpc" && open.delete(id)));
    }));
    const page = await tab(it, context, freshName());
    await opened(page, "Terminal");
    await page.getByRole("button", { name: "Open a terminal" }).click();
    const screen = page.locator(".terminal .xterm-rows");
    await screen.filter({ hasText: /\S/ }).waitFor();
    await typed(page, "echo so-$((40 + 2))");
    await screen.filter({ hasText: "so-42" }).waitFor();
    assert.ok(pieces.join("").includes("echo so-$((40 + 2))\r"), JSON.stringify(pieces));
    assert.equal(most.open, 1);
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("a terminal is the same in two tabs, and either of them types", async () => {
    const context = await it.context();
    const name = freshName();
    const [one, two] = [await tab(it, context, name), await tab(it, context, name)];
    await opened(one, "Terminal");
    await one.getByRole("button", { name: "Open a terminal" }).click();
    await one.locator(".terminal .xterm-rows").filter({ hasText: /\S/ }).waitFor();
    // The other tab hears of it at once.
    await opened(two, "Terminal");
    for (const [page, sum, is] of [[one, "20 + 1", 21], [two, "40 + 4", 44]]) {
      await page.locator(".terminal .xterm-rows").filter({ hasText: /\S/ }).waitFor();
      await typed(page, `echo is-$((${sum}))`);
      for (const seen of [one, two]) await seen.locator(".terminal .xterm-rows").filter({ hasText: `is-${is}` }).waitFor();
    }
    assert.deepEqual([...one.errors, ...two.errors], []);
    await context.close();
  });

  test("a key pressed twice in one moment does its work twice", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await press(page, 3);
    await page.locator(".workbench").waitFor();
    await press(page, 2);
    assert.equal(await page.locator(".workbench").count(), 1);
    await context.close();
  });

  test("commands by hand are completed, and run without a model", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await page.locator("#composer").fill("/");
    const offered = page.locator(".slash");
    await offered.waitFor();
    await page.keyboard.type("stat");
    await page.keyboard.press("Tab");
    assert.match(await page.locator("#composer").inputValue(), /^\/status /);
    await page.keyboard.press("Enter");
    await page.locator('.card[data-tool="git_status"]').waitFor();
    await context.close();
  });

  test("the list of conversations is everybody's, and says which one waits for an answer", async () => {
    const context = await it.context();
    const other = await it.context();
    const name = freshName("shared");
    const [one, two] = [await tab(it, context, name), await tab(it, other, freshName())];
    await say(one, `use write_file {"path": "a.txt", "content": "text"}`);
    await one.locator(".approval").waitFor();
    const row = two.locator(".conversation").filter({ has: two.locator(`a[href="/c/${name}"]`) });
    await row.locator(".dot.waiting").waitFor();
    await row.locator("a").click();
    await two.locator(".approval").waitFor();
    await allow(two);
    await answered(two, "The tool answered");
    await two.locator(".conversation[data-current] .dot").waitFor({ state: "detached" });
    await Promise.all([context.close(), other.close()]);
  });

  test("a piece of the page that cannot be loaded is asked for a few times, then it is said, and asked for again by a button", async () => {
    const context = await it.context();
    let asked = 0;
    await context.route(/assets\/terminal-[^/]*\.js/, (route) => (asked++, route.abort()));
    const page = await tab(it, context, freshName());
    await opened(page, "Terminal");
    await page.getByRole("button", { name: "Open a terminal" }).click();
    await page.getByRole("alert").filter({ hasText: "could not be loaded" }).waitFor();
    const before = asked;
    assert.ok(before > 4 && before < 20, `${before} requests`);
    // As a browser does that remembers the failure: only another address of the module is still asked for.
    await context.unrouteAll();
    await context.route(/assets\/terminal-[^/]*\.js$/, (route) => route.abort());
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".terminal-frame .xterm-rows").waitFor();
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("how the agent works is chosen: plan changes nothing, auto asks nobody", async () => {
    const context = await it.context();
    const name = freshName();
    const [page, other] = [await tab(it, context, name), await tab(it, context, name)];
    await page.getByRole("radio", { name: "Plan" }).click();
    await page.locator('[role="radio"][aria-checked="true"]').filter({ hasText: "Plan" }).waitFor();
    await say(page, 'use write_file {"path": "a.txt", "content": "text"}');
    await answered(page, /\S/);
    assert.equal(await page.locator('.card[data-state="done"], .approval').count(), 0);
    await page.getByRole("radio", { name: "Auto" }).click();
    await page.locator('[role="radio"][aria-checked="true"]').filter({ hasText: "Auto" }).waitFor();
    await say(page, 'use write_file {"path": "b.txt", "content": "text"}');
    await page.locator('.card[data-tool="write_file"][data-state="done"]').waitFor();
    assert.equal(await page.locator(".approval").count(), 0);
    await other.locator('[role="radio"][aria-checked="true"]').filter({ hasText: "Auto" }).waitFor();
    await context.close();
  });
});
