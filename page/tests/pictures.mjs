// Pictures of the main states, for docs/pictures and for eyes:  node tests/pictures.mjs --pictures DIR
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { allow, answered, flags, freshName, opened, say, tab, world } from "./world.mjs";

const DIR = flags.pictures;
assert.ok(DIR, "say where to: --pictures DIR");
mkdirSync(DIR, { recursive: true });
const shot = (page, name) => page.screenshot({ path: join(DIR, `${name}.png`) });
const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

describe("pictures", () => {
  const it = world({ toml: '[models.fast]\nprovider = "scripted"\n' });

  for (const colorScheme of ["light", "dark"]) {
    test(`the main states, ${colorScheme}`, async () => {
      const context = await it.context({ colorScheme });
      const page = await tab(it, context, freshName("demo"));
      const at = (name) => shot(page, `${colorScheme}-${name}`);
      await page.locator(".start").waitFor();
      await at("start");
      await say(page, "Why does the greeting test fail?");
      await answered(page, "one word");
      await at("talk");
      await say(page, "Begin with a greeting");
      await page.locator(".approval").waitFor();
      await at("approval");
      await allow(page);
      await page.locator('.approval[data-tool="git_commit"]').waitFor();
      await allow(page);
      await answered(page, "That is the beginning.");
      await say(page, "Yes, change it");
      await page.locator('.approval[data-tool="replace"]').waitFor();
      await allow(page);
      await answered(page, "Shall I run the tests?");
      await at("diff");
      await page.locator(".card").last().getByRole("button", { name: "Side by side" }).click();
      await opened(page, "Files");
      await page.getByRole("treeitem", { name: "src" }).click();
      await page.getByRole("treeitem", { name: "main.rs" }).click();
      await page.locator(".viewer .hljs-keyword").first().waitFor();
      await at("files");
      await opened(page, "Changes");
      await page.locator(".changes .diff").waitFor();
      await at("changes");
      await say(page, "Make a plan");
      await answered(page, "I begin with the greeting.");
      await opened(page, "Plan");
      await page.locator(".plan li").nth(3).waitFor();
      await at("plan");
      await page.getByRole("textbox", { name: "Goal" }).fill("Be counting slowly to ten thousand");
      await page.getByRole("button", { name: "Begin" }).click();
      await page.locator('.run[data-state="running"] meter').first().waitFor();
      await page.locator(".answered").last().filter({ hasText: "12" }).waitFor();
      await at("run");
      await page.getByRole("button", { name: "End it" }).click();
      await page.locator('.run[data-state="over"]').waitFor();
      await opened(page, "Terminal");
      await page.getByRole("button", { name: "Open a terminal" }).click();
      const screen = page.locator(".terminal .xterm-rows");
      await screen.filter({ hasText: /\S/ }).waitFor();
      await page.locator(".terminal textarea").focus();
      await page.keyboard.type("ls -la && cat src/main.rs\n");
      await screen.filter({ hasText: "good morning" }).waitFor();
      await at("terminal");
      await page.locator(".bar").click();
      await page.keyboard.press("Control+k");
      await page.locator(".palette").waitFor();
      await at("palette");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+,");
      await page.getByRole("radiogroup", { name: "Model" }).waitFor();
      await page.getByRole("heading", { name: "Rules" }).waitFor();
      await at("settings");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+j");
      await page.locator('input[type="file"]').setInputFiles([{ name: "notes.md", mimeType: "text/markdown", buffer: Buffer.from("# Notes\n") }]);
      await page.locator(".attachment").waitFor();
      await page.locator("#composer").fill("/");
      await page.locator(".slash").waitFor();
      await at("composer");
      await page.locator("#composer").fill("");
      await page.getByRole("button", { name: "Take off notes.md" }).click();
      await say(page, "Run them");
      await allow(page);
      await page.locator(".card .output").filter({ hasText: "greeting::40" }).waitFor();
      await say(page, "and then open a pull request");
      await at("command");
      await page.getByRole("button", { name: "Do not send this" }).click();
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Stop the answer" }).waitFor({ state: "detached" });
      await at("stopped");
      await say(page, "fail rate_limited");
      await page.getByRole("alert").filter({ hasText: "told to fail" }).waitFor();
      await at("failed");
      await context.close();
    });
  }

  test("the phone", async () => {
    for (const colorScheme of ["light", "dark"]) {
      const context = await it.context({ ...PHONE, colorScheme });
      const page = await tab(it, context, freshName("demo"));
      const at = (name) => shot(page, `phone-${colorScheme}-${name}`);
      await page.locator(".start").waitFor();
      await at("start");
      await say(page, "Begin with a greeting");
      await allow(page);
      await page.locator('.approval[data-tool="git_commit"]').waitFor();
      await allow(page);
      await answered(page, "That is the beginning.");
      await say(page, "Why does the greeting test fail?");
      await answered(page, "one word");
      await at("talk");
      await say(page, "Yes, change it");
      await page.locator(".approval mark").first().waitFor();
      await at("approval");
      await allow(page);
      await answered(page, "Shall I run the tests?");
      await say(page, 'use run_command {"command": "cargo test --workspace --all-features -- --nocapture greeting"}');
      await page.locator(".approval").waitFor();
      await at("command");
      await page.getByRole("button", { name: "List of conversations", exact: true }).click();
      await page.getByRole("button", { name: "New conversation" }).waitFor();
      await at("list");
      await page.locator(".scrim").click({ position: { x: 370, y: 400 } });
      await page.getByRole("button", { name: /^Show the workbench/ }).click();
      await page.getByRole("treeitem", { name: "src" }).waitFor();
      await at("files");
      await page.getByRole("button", { name: "Hide the workbench", exact: true }).click();
      await page.getByRole("button", { name: /^Settings/ }).click();
      await page.getByRole("heading", { name: "Rules" }).waitFor();
      await at("settings");
      await context.close();
    }
  });

  test("when the server is away", async () => {
    const context = await it.context({ colorScheme: "dark" });
    const page = await tab(it, context, freshName("demo"));
    await say(page, "hello");
    await answered(page, "Hello yourself!");
    await it.server.kill();
    await page.getByText("The server does not answer").waitFor();
    await shot(page, "dark-away");
    await it.server.start();
    await context.close();
  });
});

describe("pictures without a model", () => {
  const it = world({ model: false });

  test("what is missing is said", async () => {
    for (const [name, options] of [["light-no-model", { colorScheme: "light" }], ["dark-no-model", { colorScheme: "dark" }], ["phone-no-model", PHONE]]) {
      const context = await it.context(options);
      const page = await tab(it, context, freshName("demo"));
      await page.locator(".model-none").waitFor();
      await shot(page, name);
      await context.close();
    }
  });
});

describe("pictures of a server with tokens", () => {
  const it = world({ toml: `[auth]\n[[auth.token]]\nsubject = "ada"\nhash = "sha256:${"0".repeat(64)}"\n` });

  test("who somebody is, is asked", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName("demo"), { wait: false });
    await page.getByText("This server wants to know who you are").waitFor();
    await shot(page, "light-token");
    await context.close();
  });
});
