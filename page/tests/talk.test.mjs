// Talking: streaming, several tabs, stopping, answering again, clearing, what waits, and what happens when the line is cut.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { answered, freshName, say, tab, workspaceOf, world } from "./world.mjs";

describe("talking", () => {
  const it = world();

  test("a message is answered, word by word, and seen in another tab", async () => {
    const context = await it.context();
    const name = freshName();
    const [one, two] = [await tab(it, context, name), await tab(it, context, name)];
    await say(one, "count 30");
    await two.locator('.answered[aria-busy="true"]').filter({ hasText: "3" }).waitFor();
    for (const page of [one, two]) assert.match(await (await answered(page, "30")).innerText(), /28.*29.*30/s);
    assert.equal(await one.locator(".message").count(), 2);
    assert.deepEqual([...one.errors, ...two.errors], []);
    await context.close();
  });

  test("what an answer contains is text and never markup of the page", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await say(page, "markdown");
    const answer = await answered(page, "A title");
    await answer.locator(".hljs-keyword").first().waitFor();
    assert.equal(await answer.locator("h2").innerText(), "A title");
    assert.equal(await answer.locator("li").count(), 2);
    assert.equal(await answer.locator("script, img").count(), 0);
    assert.equal(await answer.locator('a[href^="javascript"]').count(), 0);
    assert.match(await answer.locator("a").first().getAttribute("rel"), /noopener/);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.ok(asked.every((url) => url.startsWith(it.url) || url.startsWith("ws://127.0.0.1")), asked.join("\n"));
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("colours that cannot be loaded while the server is away come once it is back", async () => {
    const context = await it.context();
    let refused = 0;
    await context.route(/assets\/languages-.*\.js(\?.*)?$/, (route) => (++refused === 1 ? route.abort() : route.continue()));
    const page = await tab(it, context, freshName());
    await say(page, "markdown");
    const answer = await answered(page, "A title");
    await answer.locator(".hljs-keyword").first().waitFor();
    assert.ok(refused > 1, `${refused} requests`);
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("Esc stops the answer, for every tab, and what was said stays", async () => {
    const context = await it.context();
    const name = freshName();
    const [one, two] = [await tab(it, context, name), await tab(it, context, name)];
    await say(one, "count 2000");
    await two.locator(".answered").filter({ hasText: "5" }).waitFor();
    await two.keyboard.press("Escape");
    for (const page of [one, two]) {
      await page.locator('button[aria-label="Stop the answer"]').waitFor({ state: "detached" });
      assert.doesNotMatch(await page.locator(".answered").innerText(), /2000/);
    }
    await say(one, "hello");
    await answered(two, "Hello yourself!");
    await context.close();
  });

  test("what is said while the agent works is sent when it is done, also after a reload", async () => {
    const context = await it.context();
    const name = freshName("queue");
    const page = await tab(it, context, name);
    await page.getByRole("radio", { name: "Auto" }).click();
    await page.locator('[role="radio"][aria-checked="true"]').filter({ hasText: "Auto" }).waitFor();
    await say(page, 'use run_command {"command": "echo begun; while [ ! -e go ]; do sleep 0.1; done"}');
    await page.locator(".card .output").filter({ hasText: "begun" }).waitFor();
    await say(page, "and then this");
    await say(page, "and not this");
    await page.locator(".queued .message").filter({ hasText: "and not this" }).getByRole("button", { name: "Do not send this" }).click();
    await page.reload();
    const queued = page.locator(".queued");
    await queued.filter({ hasText: "and then this" }).waitFor();
    assert.doesNotMatch(await queued.innerText(), /and not this/);
    writeFileSync(join(workspaceOf(it, name), "go"), "");
    await answered(page, "You said: and then this");
    assert.equal(await queued.count(), 0);
    assert.equal(await page.locator(".message").count(), 4);
    await context.close();
  });

  test("an answer can be had again, and a conversation cleared", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, "hello");
    const first = await answered(page, "Hello yourself!");
    await first.evaluate((answer) => answer.setAttribute("data-first", ""));
    await page.getByRole("button", { name: "Answer again" }).click();
    await page.locator("[data-first]").waitFor({ state: "detached" });
    await answered(page, "Hello yourself!");
    assert.equal(await page.locator(".message").count(), 2);
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search conversations and commands" }).fill("clear");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Clear", exact: true }).click();
    await page.locator(".start").waitFor();
    await page.reload();
    await page.locator(".start").waitFor();
    await context.close();
  });

  test("Esc closes what lies over the talk, and stops the answer only then", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, "count 2000");
    await page.locator(".answered").filter({ hasText: "3" }).waitFor();
    await page.keyboard.press("Control+k");
    await page.locator(".palette").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".palette").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Stop the answer" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Stop the answer" }).waitFor({ state: "detached" });
    await context.close();
  });

  test("a page that is loaded again in mid-answer shows all of it, once", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, "count 80");
    await page.locator(".answered").filter({ hasText: "4" }).waitFor();
    await page.reload();
    const answer = await answered(page, "80");
    assert.match(await answer.innerText(), /1\s+2\s+3/);
    assert.equal(await page.locator(".answered").count(), 1);
    await context.close();
  });

  test("a provider that fails is shown with its reason, and the next message is answered", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, "fail rate_limited");
    await page.getByRole("alert").filter({ hasText: "told to fail" }).waitFor();
    await say(page, "hello");
    await answered(page, "Hello yourself!");
    await context.close();
  });

  test("an answer that the server dies in the middle of goes on, and nobody is told that it failed", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, "count 80");
    await page.locator(".answered").filter({ hasText: "4" }).waitFor();
    await it.server.kill();
    await page.locator('.link[data-phase="reconnecting"]').waitFor();
    assert.equal(await page.getByRole("alert").count(), 0);
    await it.server.start();
    assert.match(await (await answered(page, "80")).innerText(), /1\s+2\s+3/);
    assert.equal(await page.getByRole("alert").count(), 0);
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("while the server is away the page says so, and goes on when it is back", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, "hello");
    await answered(page, "Hello yourself!");
    await it.server.kill();
    await page.locator('.link[data-phase="reconnecting"]').waitFor();
    await page.getByText("The server does not answer, trying again since").waitFor();
    await it.server.start();
    await page.locator('.link[data-phase="open"]').waitFor();
    assert.equal(await page.getByText("The server does not answer").count(), 0);
    await say(page, "again");
    await answered(page, "You said: again");
    assert.equal(await page.locator(".message").count(), 4);
    await context.close();
  });
});
