// Approvals: from any tab, with a reason, for always; and what calls of tools look like.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { allow, answered, freshName, say, tab, world } from "./world.mjs";

const WRITE = (path, content) => `use write_file ${JSON.stringify({ path, content })}`;

describe("approvals", () => {
  const it = world();

  test("what would be done is shown, and a yes from another tab is enough", async () => {
    const context = await it.context();
    const name = freshName();
    const [one, two] = [await tab(it, context, name), await tab(it, context, name)];
    await say(one, WRITE("src/main.rs", 'fn main() {\n    println!("hello");\n}\n'));
    for (const page of [one, two]) await page.locator(".approval").filter({ hasText: "src/main.rs" }).filter({ hasText: 'println!("hello")' }).waitFor();
    await allow(two);
    for (const page of [one, two]) {
      await answered(page, "The tool answered");
      assert.equal(await page.locator(".approval").count(), 0);
      await page.locator('.card[data-tool="write_file"][data-state="done"] .diff tr.new').nth(2).waitFor();
    }
    assert.deepEqual([...one.errors, ...two.errors], []);
    await context.close();
  });

  test("a no with a reason reaches the agent, and nothing is done", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, WRITE("a.txt", "text"));
    await page.getByRole("button", { name: "Deny…" }).click();
    await page.getByLabel("Why not? The agent is told.").fill("not in this directory");
    await page.keyboard.press("Enter");
    await page.locator('.card[data-state="denied"]').waitFor();
    await answered(page, "not in this directory");
    await context.close();
  });

  test("the keyboard alone is enough", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, WRITE("b.txt", "text"));
    await page.locator(".approval").waitFor();
    await page.keyboard.press("Control+Enter");
    await answered(page, "The tool answered");
    await page.locator('.card[data-state="done"]').waitFor();
    await say(page, WRITE("c.txt", "text"));
    await page.locator(".approval").waitFor();
    await page.keyboard.press("Control+Backspace");
    await page.locator('.card[data-state="denied"]').waitFor();
    await context.close();
  });

  test("always means that the same is not asked again here", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, WRITE("d.txt", "one"));
    await page.getByRole("button", { name: /^Always allow/ }).click();
    await answered(page, "The tool answered");
    await say(page, WRITE("d.txt", "two"));
    await answered(page, "The tool answered");
    assert.equal(await page.locator('.card[data-tool="write_file"][data-state="done"]').count(), 2);
    await context.close();
  });

  test("an approval outlives the server and the tab", async () => {
    const context = await it.context();
    const name = freshName();
    const page = await tab(it, context, name);
    await say(page, WRITE("e.txt", "text"));
    await page.locator(".approval").waitFor();
    await page.close();
    await it.server.kill();
    await it.server.start();
    const later = await tab(it, context, name);
    await later.locator(".approval").waitFor();
    await allow(later);
    await answered(later, "The tool answered");
    await context.close();
  });

  test("a diff is shown in one column or side by side, with what differs marked", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, WRITE("src/main.rs", 'fn main() {\n    println!("hello");\n}\n'));
    await allow(page);
    await answered(page, "The tool answered");
    await say(page, 'use replace {"path": "src/main.rs", "old": "hello", "new": "good morning"}');
    await allow(page);
    const card = page.locator('.card[data-tool="replace"]');
    await card.locator("mark").filter({ hasText: "good morning" }).waitFor();
    await card.getByRole("button", { name: "Side by side" }).click();
    await card.locator('.diff[data-layout="two"]').waitFor();
    const row = card.locator("tr").filter({ hasText: "good morning" });
    assert.equal(await row.locator("td.old").count(), 2);
    assert.equal(await row.locator("td.new").count(), 2);
    await page.reload();
    await page.locator('.diff[data-layout="two"]').first().waitFor();
    await context.close();
  });

  test("a command shows what it says while it runs, and how it ended", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, `use run_command {"command": "echo first; while [ ! -e go ]; do sleep 0.1; done; echo second; exit 3"}`);
    await page.locator(".approval").filter({ hasText: "echo first" }).waitFor();
    await allow(page);
    const card = page.locator('.card[data-tool="run_command"]');
    await card.locator(".output").filter({ hasText: "first" }).waitFor();
    assert.doesNotMatch(await card.locator(".output").innerText(), /second/);
    await page.getByRole("button", { name: "Stop the answer" }).click();
    await page.getByRole("button", { name: "Stop the answer" }).waitFor({ state: "detached" });
    await context.close();
  });

  test("a command that fails says so by itself", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, `use run_command {"command": "echo said; exit 3"}`);
    await page.locator(".approval").filter({ hasText: "exit 3" }).waitFor();
    await allow(page);
    const card = page.locator('.card[data-tool="run_command"]');
    await card.locator(".badge").filter({ hasText: "exit 3" }).waitFor();
    assert.match(await card.locator(".output").innerText(), /said/);
    await context.close();
  });
});
