// Going back to before a message with the files, taking that back, editing and saying again, and forks.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { answered, freshName, say, tab, workspaceOf, world, written } from "./world.mjs";

const BACK = "Edit: go back to before this message";

/** The message with this text, as its writer sees it. */
const said = (page, text) => page.locator(".message.said").filter({ hasText: text });

async function goBack(page, text) {
  await said(page, text).getByRole("button", { name: BACK }).click();
  await said(page, text).waitFor({ state: "detached" });
}

describe("going back", () => {
  const it = world();

  test("talk and files go back to before a message, which is edited and said again; every tab sees it", async () => {
    const context = await it.context();
    const name = freshName("back");
    const [page, other] = [await tab(it, context, name), await tab(it, context, name)];
    await written(page, "a.txt", "one\n");
    await written(page, "b.txt", "two\n");
    await goBack(page, "b.txt");
    await page.getByText("Talk and files are as they were before that message.").waitFor();
    await said(other, "b.txt").waitFor({ state: "detached" });
    const workspace = workspaceOf(it, name);
    assert.equal(existsSync(join(workspace, "b.txt")), false);
    assert.equal(readFileSync(join(workspace, "a.txt"), "utf8"), "one\n");
    const draft = page.locator("#composer");
    assert.match(await draft.inputValue(), /b\.txt/);
    await say(page, (await draft.inputValue()).replace("b.txt", "c.txt"));
    await page.getByRole("button", { name: /^Allow/ }).click();
    for (const one of [page, other]) {
      await answered(one, "The tool answered");
      assert.equal(await one.locator(".message").count(), 4);
    }
    assert.equal(readFileSync(join(workspace, "c.txt"), "utf8"), "two\n");
    assert.deepEqual([...page.errors, ...other.errors], []);
    await context.close();
  });

  test("a step back is taken back with one button, files and all", async () => {
    const context = await it.context();
    const name = freshName("undo");
    const page = await tab(it, context, name);
    await written(page, "a.txt", "one\n");
    await goBack(page, "a.txt");
    const file = join(workspaceOf(it, name), "a.txt");
    await page.getByRole("button", { name: "Undo" }).waitFor();
    assert.equal(existsSync(file), false);
    await page.getByRole("button", { name: "Undo" }).click();
    await answered(page, "The tool answered");
    await page.getByText("Talk and files are as they were before you went back.").waitFor();
    assert.equal(readFileSync(file, "utf8"), "one\n");
    assert.equal(await page.locator("#composer").inputValue(), "");
    await context.close();
  });

  test("a fork goes its own way: talk and files of before the message, and the first stays as it is", async () => {
    const context = await it.context();
    const name = freshName("fork");
    const page = await tab(it, context, name);
    await written(page, "a.txt", "one\n");
    await written(page, "b.txt", "two\n");
    const first = page.url();
    await said(page, "b.txt").getByRole("button", { name: "Fork from here" }).click();
    await page.waitForFunction((before) => location.href !== before, first);
    await page.locator('.link[data-phase="open"]').waitFor();
    await said(page, "a.txt").waitFor();
    assert.equal(await page.locator(".message").count(), 2);
    assert.match(await page.locator("#composer").inputValue(), /b\.txt/);
    const own = workspaceOf(it, decodeURIComponent(new URL(page.url()).pathname.slice(3)));
    assert.deepEqual(["a.txt", "b.txt"].map((file) => existsSync(join(own, file))), [true, false]);
    await say(page, "hello");
    await answered(page, "Hello yourself!");
    await page.goto(first);
    await said(page, "b.txt").waitFor();
    assert.equal(await page.locator(".message").count(), 4);
    assert.ok(existsSync(join(workspaceOf(it, name), "b.txt")));
    await context.close();
  });
});
