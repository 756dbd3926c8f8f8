// Servers that ask who somebody is, and servers without a model.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createHash, randomBytes } from "node:crypto";
import { answered, freshName, say, tab, world } from "./world.mjs";

const TOKEN = `hst_${randomBytes(24).toString("base64url")}`;
const HASH = `sha256:${createHash("sha256").update(TOKEN).digest("hex")}`;

describe("a server with tokens", () => {
  const it = world({ toml: `[auth]\n[[auth.token]]\nsubject = "ada"\nhash = "${HASH}"\n` });

  test("the page asks for a token, says when it is wrong, and talks once it is right", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName(), { wait: false });
    await page.getByText("This server wants to know who you are").waitFor();
    await page.getByLabel("Token").fill("hst_wrong-but-long-enough-to-be-taken-for-one");
    await page.keyboard.press("Enter");
    await page.getByText("The server does not take this token").waitFor();
    await page.getByLabel("Token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.locator('.link[data-phase="open"]').waitFor();
    await say(page, "hello");
    await answered(page, "Hello yourself!");
    await page.reload();
    await page.locator(".answered").filter({ hasText: "Hello yourself!" }).waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem("hostel.token")), null);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("This server wants to know who you are").waitFor();
    await context.close();
  });
});

describe("a server without a model", () => {
  const it = world({ model: false });

  test("says how to get one, before and after somebody asks", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await page.getByRole("heading", { name: "No model is configured yet" }).waitFor();
    await page.getByText("ANTHROPIC_API_KEY=sk-… hostel serve").waitFor();
    await page.getByRole("button", { name: "No model" }).click();
    await page.locator(".setup").getByText("hostel serve --model scripted").waitFor();
    await page.keyboard.press("Escape");
    await say(page, "hello");
    await answered(page, "No model is configured. Give the server a key");
    await context.close();
  });
});
