// For everybody: axe-core on the main states in both themes, the keyboard alone, the phone, and what the server sends.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { answered, freshName, say, tab, world } from "./world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function checked(page, what) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
  const shown = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.slice(0, 4).map((node) => `${node.target} ${node.any[0]?.message ?? ""}`).join("\n  ")}`);
  assert.deepEqual(shown, [], what);
}

/** Nothing is wider than the screen. */
async function fits(page) {
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= screen, `${wide} of ${screen}`);
}

describe("for everybody", () => {
  const it = world();

  for (const colorScheme of ["light", "dark"]) {
    test(`nothing stands in the way, ${colorScheme}`, async () => {
      const context = await it.context({ colorScheme });
      const page = await tab(it, context, freshName());
      await checked(page, "an empty conversation");
      await say(page, "markdown");
      await answered(page, "A title");
      await page.locator(".hljs-keyword").first().waitFor();
      await say(page, 'use write_file {"path": "src/a.rs", "content": "fn main() {}\\n"}');
      await page.locator(".approval").waitFor();
      await checked(page, "a talk with a question");
      await page.getByRole("button", { name: /^Allow/ }).click();
      await answered(page, "The tool answered");
      await page.keyboard.press("Control+j");
      await page.getByRole("treeitem", { name: "src" }).waitFor();
      await checked(page, "the workbench");
      await page.keyboard.press("Control+,");
      await page.getByRole("radiogroup", { name: "Model" }).waitFor();
      await checked(page, "the settings");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+k");
      await page.locator(".palette").waitFor();
      await checked(page, "the palette");
      await page.keyboard.press("Escape");
      await page.locator(".bar-title").click();
      await page.keyboard.press("Escape");
      await page.locator(".transcript").click();
      await page.keyboard.press("?");
      await page.locator(".sheet").waitFor();
      await checked(page, "the sheet of shortcuts");
      await context.close();
    });
  }

  test("conversations are begun, named, found and removed with the keyboard", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName("first"));
    const first = page.url();
    await say(page, "hello");
    await answered(page, "Hello yourself!");
    await page.keyboard.press("Control+Shift+O");
    await page.waitForFunction((before) => location.href !== before, first);
    await page.locator('.link[data-phase="open"]').waitFor();
    await say(page, "a second talk");
    await answered(page, "You said: a second talk");
    await page.locator(".conversation[data-current]").filter({ hasText: "a second talk" }).waitFor();
    await page.getByRole("button", { name: "Rename a second talk" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Title of the conversation" }).fill("The second");
    await page.keyboard.press("Enter");
    await page.locator(".conversation[data-current]").filter({ hasText: "The second" }).waitFor();
    await page.keyboard.press("Control+k");
    await page.locator(".palette input:focus").waitFor();
    await page.keyboard.type("hello");
    await page.keyboard.press("Enter");
    await page.waitForURL(first);
    await page.locator(".answered").filter({ hasText: "Hello yourself!" }).waitFor();
    await page.getByRole("button", { name: "Remove The second" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Remove", exact: true }).press("Enter");
    await page.locator(".conversation").filter({ hasText: "The second" }).waitFor({ state: "detached" });
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("on a phone the list is a drawer, and nothing is wider than the screen", async () => {
    const context = await it.context({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
    const page = await tab(it, context, freshName());
    await say(page, "markdown");
    await answered(page, "A title");
    assert.equal(await page.locator(".sidebar").isVisible(), false);
    await page.getByRole("button", { name: "List of conversations", exact: true }).click();
    await page.getByRole("button", { name: "New conversation" }).waitFor();
    await checked(page, "the drawer");
    await page.locator(".scrim").click({ position: { x: 370, y: 400 } });
    await page.locator(".sidebar").waitFor({ state: "hidden" });
    await fits(page);
    await checked(page, "the phone");
    await say(page, `use write_file ${JSON.stringify({ path: "src/a/long/way/down/to/where/the/file/is.rs", content: `${"a long line ".repeat(40)}\n` })}`);
    await page.locator(".approval").waitFor();
    await fits(page);
    await page.getByRole("button", { name: /^Allow/ }).tap();
    await answered(page, "The tool answered");
    await page.getByRole("button", { name: /^Show the workbench/ }).tap();
    for (const pane of ["Files", "Changes", "Terminal", "Plan"]) {
      await page.getByRole("tab", { name: new RegExp(`^${pane}`) }).tap();
      await fits(page);
    }
    await page.getByRole("button", { name: "Hide the workbench", exact: true }).tap();
    await page.getByRole("button", { name: /^Settings/ }).tap();
    await page.getByRole("radiogroup", { name: "Model" }).waitFor();
    await fits(page);
    await context.close();
  });

  test("the theme is chosen and stays", async () => {
    const context = await it.context({ colorScheme: "light" });
    const page = await tab(it, context, freshName());
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: /^Theme: system/ }).click();
    await page.getByRole("button", { name: /^Theme: light/ }).click();
    await page.getByRole("button", { name: /^Theme: dark/ }).waitFor();
    // Colours pass from one to the other.
    const isDark = () => page.waitForFunction((light) => getComputedStyle(document.body).backgroundColor !== light, light);
    await isDark();
    await page.reload();
    await page.locator(".composer").waitFor();
    await isDark();
    await context.close();
  });

  test("browsers get the page, with a policy; others hear at / what they always heard", async () => {
    const page = await fetch(`${it.url}/c/any%20name`, { headers: { accept: "text/html,*/*;q=0.8" } });
    assert.match(page.headers.get("content-security-policy"), /^default-src 'none'/);
    assert.equal(page.headers.get("cache-control"), "no-cache");
    const plain = await fetch(`${it.url}/`);
    assert.equal(plain.status, 404);
    assert.equal((await plain.json()).code, "no_route");
    const posted = await fetch(`${it.url}/`, { method: "POST", headers: { accept: "text/html" } });
    assert.equal((await posted.json()).code, "no_route");
  });
});
