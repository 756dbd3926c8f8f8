// What is set for a conversation: which model answers, whose token GitHub gets, and what needs no yes any more.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { allow, answered, flags, freshName, say, tab, world } from "./world.mjs";

const MODELS = `
[models.main]
provider = "scripted"
script = "on *\\n  say This is the main one."

[models.other]
provider = "scripted"
script = "on *\\n  say This is another one."
`;

const settings = async (page) => {
  await page.locator('.link[data-phase="open"]').waitFor();
  await page.keyboard.press("Control+,");
  await page.locator(".setup").waitFor();
};

describe("models", () => {
  const it = world({ toml: MODELS, model: false });

  test("which one answers is seen and chosen, for every tab and after a reload", async () => {
    const context = await it.context();
    const name = freshName();
    const [page, other] = [await tab(it, context, name), await tab(it, context, name)];
    await say(page, "one");
    await answered(page, "This is the main one.");
    const picker = page.getByRole("combobox", { name: "Model that answers" });
    await picker.selectOption("other");
    await page.locator('.model-picker select:enabled option[value="other"]:checked').waitFor({ state: "attached" });
    await settings(page);
    await page.locator(".choice").filter({ hasText: "other" }).locator("input:checked").waitFor();
    await page.keyboard.press("Escape");
    await say(page, "two");
    await answered(page, "This is another one.");
    await answered(other, "This is another one.");
    await other.locator('.model-picker option[value="other"]:checked').waitFor({ state: "attached" });
    await page.reload();
    await page.locator('.model-picker option[value="other"]:checked').waitFor({ state: "attached" });
    await settings(page);
    await page.locator(".choice").filter({ hasText: "main" }).click();
    await page.locator(".choice").filter({ hasText: "main" }).locator("input:checked").waitFor();
    await page.keyboard.press("Escape");
    await page.locator('.model-picker option[value="main"]:checked').waitFor({ state: "attached" });
    await say(page, "three");
    await answered(page, "This is the main one.");
    assert.deepEqual([...page.errors, ...other.errors], []);
    await context.close();
  });
});

describe("GitHub", () => {
  const TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
  const fake = http.createServer((request, response) => {
    const isIts = request.headers.authorization?.endsWith(TOKEN);
    const body = isIts ? { login: "ada", id: 1 } : { message: "Bad credentials" };
    response.writeHead(isIts ? 200 : 401, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  after(() => fake.close());
  const it = world({
    async prepare(scratch) {
      await new Promise((done) => fake.listen(0, "127.0.0.1", done));
      const [file, key] = [join(scratch, "vault"), join(scratch, "vault.key")];
      const config = `[vault]\nfile = ${JSON.stringify(file)}\nkey_file = ${JSON.stringify(key)}\n[coder.github]\napi_url = "http://127.0.0.1:${fake.address().port}/api/v3"\n`;
      execFileSync(resolve(flags.hostel), ["vault", "init", "--vault", file, "--key-file", key], { cwd: scratch });
      return config;
    },
  });

  test("a token is given once, says whose it is, stays on the server, and is removed", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await settings(page);
    const section = page.locator("section").filter({ has: page.getByRole("heading", { name: "GitHub" }) });
    await section.getByText("what is public can be read").waitFor();
    const field = section.getByLabel("Token for GitHub");
    await field.fill("ghp_wrong0wrong0wrong0wrong0wrong0wrong0");
    await field.press("Enter");
    await section.getByRole("alert").filter({ hasText: "does not take the token" }).waitFor();
    await field.fill(TOKEN);
    await field.press("Enter");
    await section.getByText("In the name of ada").waitFor();
    assert.equal(await field.inputValue(), "");
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.documentElement.outerHTML]));
    assert.doesNotMatch(kept, /ghp_0123/);
    await page.reload();
    await settings(page);
    await section.getByText("In the name of ada").waitFor();
    assert.deepEqual(holding(join(it.scratch, "data"), TOKEN), []);
    assert.doesNotMatch(it.server.log(), /ghp_0123/);
    await section.getByRole("button", { name: "Remove" }).click();
    await section.getByText("what is public can be read").waitFor();
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("what was always allowed is listed, and can be taken back", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    const write = 'use write_file {"path": "a.txt", "content": "text"}';
    await say(page, write);
    await page.getByRole("button", { name: /^Always allow/ }).click();
    await answered(page, "The tool answered");
    await settings(page);
    await page.getByRole("button", { name: /^Take back: allow write_file/ }).click();
    await page.getByText("None yet.").waitFor();
    await page.keyboard.press("Escape");
    await say(page, write);
    await allow(page);
    await answered(page, "The tool answered");
    await context.close();
  });
});

describe("where commands run", () => {
  const it = world();

  test("a machine that is lent is offered in every tab, chosen with the keyboard, named in the question, and missed when it is away", async () => {
    const context = await it.context();
    const name = freshName();
    const [page, other] = [await tab(it, context, name), await tab(it, context, name)];
    await settings(page);
    await settings(other);
    const section = page.locator("section").filter({ has: page.getByRole("heading", { name: "Where commands run" }) });
    await section.getByText(`hostel hands coder/${name} --url ${it.url}`).waitFor();
    const lent = mkdtempSync(join(it.scratch, "lent-"));
    const hands = spawn(resolve(flags.hostel), ["hands", `coder/${name}`, "--url", it.direct, "--directory", lent, "--name", "laptop", "--allow", "echo *"], { stdio: "ignore" });
    after(() => hands.kill("SIGKILL"));
    const here = section.getByRole("radio", { name: "This server" });
    const there = section.getByRole("radio", { name: /laptop/ });
    await there.waitFor();
    assert.ok(await here.isChecked());
    await here.focus();
    await page.keyboard.press("ArrowDown");
    await section.getByRole("radio", { name: /laptop/, checked: true }).waitFor();
    await section.getByText(lent).waitFor();
    await other.getByRole("radio", { name: /laptop/, checked: true }).waitFor();
    await page.keyboard.press("Escape");
    await say(page, 'use run_command {"command": "echo from there"}');
    await page.locator(".approval").filter({ hasText: "echo from there" }).filter({ hasText: "laptop" }).waitFor();
    await allow(page);
    await answered(page, "The tool answered");
    await settings(page);
    hands.kill("SIGKILL");
    await section.getByRole("alert").filter({ hasText: "laptop, which is not lent now" }).waitFor();
    await other.getByRole("alert").filter({ hasText: "laptop, which is not lent now" }).waitFor();
    await here.click();
    await section.getByRole("radio", { name: "This server", checked: true }).waitFor();
    await section.getByRole("alert").waitFor({ state: "detached" });
    assert.deepEqual([...page.errors, ...other.errors], []);
    await context.close();
  });
});

/** The files below a directory that have these bytes. The server works on: what goes meanwhile is passed over. */
function holding(dir, text) {
  return there(() => readdirSync(dir, { withFileTypes: true })).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return holding(path, text);
    return entry.isFile() && there(() => readFileSync(path)).includes(text) ? [path] : [];
  });
}

function there(read) {
  try {
    return read();
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}
