// Sub-agents: what one does is shown under the call that began it, live, and what it asks is answered there.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answered, freshName, say, tab, world } from "./world.mjs";

const SCRIPT = `
on begin
  call write_file {"path": "base.txt", "content": "base\\n"}
then
  call git_commit {"message": "Base"}
then
  call delegate {"name": "left", "task": "child writes", "commands": true}
then
  say All is done.
on child writes
  call write_file {"path": "left.txt", "content": "one\\n"}
then
  call run_command {"command": "cat base.txt"}
then
  say I wrote left.txt.
`;

describe("sub-agents", () => {
  const rules = ["[coder.policy]", 'mode = "auto"', "[[coder.policy.rules]]", 'tool = "delegate"', 'action = "allow"', "[[coder.policy.rules]]", 'tool = "run_command"', 'action = "ask"'];
  const it = world({ model: false, toml: `[models.main]\nprovider = "scripted"\nscript = ${JSON.stringify(SCRIPT)}\n${rules.join("\n")}\n` });

  test("what one does is seen above, and its question is answered there, in any tab", async () => {
    const context = await it.context();
    const name = freshName();
    const [page, other] = [await tab(it, context, name), await tab(it, context, name)];
    await say(page, "begin");
    for (const one of [page, other]) {
      const helper = one.locator(".helper");
      await helper.locator('.card[data-tool="write_file"] .diff tr.new').filter({ hasText: "one" }).waitFor();
      await helper.getByText("asks you").waitFor();
      await helper.locator(".approval").filter({ hasText: "cat base.txt" }).waitFor();
    }
    await other.locator(".helper").getByRole("button", { name: /^Allow/ }).click();
    for (const one of [page, other]) {
      await answered(one, "All is done.");
      await one.locator('.helper[data-status="completed"]').waitFor();
      assert.equal(await one.locator(".approval").count(), 0);
    }
    await page.reload();
    await page.locator('.helper[data-status="completed"] summary').first().click();
    await page.locator(".helper").getByText("I wrote left.txt.").first().waitFor();
    assert.deepEqual([...page.errors, ...other.errors], []);
    await context.close();
  });
});
