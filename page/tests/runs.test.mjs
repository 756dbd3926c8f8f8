// Work of the agent's own: its plan, runs with a budget that are paused and go on, tasks, and what all of it takes.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answered, freshName, opened, say, tab, world } from "./world.mjs";

const PLAN = 'use update_plan {"steps": [{"step": "Look around", "status": "completed"}, {"step": "Mend the test", "status": "in_progress"}, {"step": "Push", "status": "pending"}]}';

describe("plan and runs", () => {
  const it = world();

  test("the plan is shown as the agent keeps it, in every tab", async () => {
    const context = await it.context();
    const name = freshName();
    const [page, other] = [await tab(it, context, name), await tab(it, context, name)];
    for (const one of [page, other]) await opened(one, "Plan");
    await say(page, PLAN);
    await answered(page, "The tool answered");
    for (const one of [page, other]) {
      await one.locator('.plan li[data-status="completed"]').filter({ hasText: "Look around" }).waitFor();
      await one.locator('.plan li[data-status="in_progress"]').filter({ hasText: "Mend the test" }).waitFor();
    }
    assert.deepEqual([...page.errors, ...other.errors], []);
    await context.close();
  });

  test("a run of its own is begun, paused, goes on, and is ended, with its budget in sight", async () => {
    const context = await it.context();
    const name = freshName();
    const [page, other] = [await tab(it, context, name), await tab(it, context, name)];
    for (const one of [page, other]) await opened(one, "Plan");
    await page.getByRole("textbox", { name: "Goal" }).fill("Be counting slowly");
    await page.getByRole("spinbutton", { name: "Steps at most" }).fill("40");
    await page.getByRole("button", { name: "Begin" }).click();
    const run = page.locator(".run");
    await page.locator('.run[data-state="running"]').filter({ hasText: "Be counting slowly" }).waitFor();
    await run.getByRole("meter", { name: "steps" }).waitFor();
    await run.getByText("of 40").waitFor();
    await run.getByRole("button", { name: "Pause" }).click();
    for (const one of [page, other]) await one.locator('.run[data-state="paused"]').waitFor();
    await other.locator(".run").getByRole("button", { name: "Go on" }).click();
    for (const one of [page, other]) await one.locator('.run[data-state="running"]').waitFor();
    await run.getByRole("button", { name: "End it" }).click();
    for (const one of [page, other]) await one.locator('.run[data-state="over"]').waitFor();
    await page.getByRole("button", { name: "Stop the answer" }).waitFor({ state: "detached" });
    assert.deepEqual([...page.errors, ...other.errors], []);
    await context.close();
  });
});

describe("what it takes", () => {
  const it = world({ model: false, toml: '[models.main]\nprovider = "scripted"\ncontext_tokens = 40000\nscript = """\non *\n  usage 10000 500\n  say Counted.\n"""\nprice = { input = 10.0, output = 20.0 }\n' });

  test("the window and the money of the conversation are in sight", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await say(page, "how much?");
    await answered(page, "Counted.");
    await page.getByRole("img", { name: /^11k of 40k tokens in the model's window; 10k in and 500 out so far/ }).waitFor();
    assert.deepEqual(page.errors, []);
    await context.close();
  });
});
