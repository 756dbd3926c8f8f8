// A repository to work on: the published sources of a real library, with tests and a history.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const LIBRARY = fileURLToPath(new URL("../../node_modules/ms", import.meta.url));

/** Runs every file beside it; it takes a moment, as tests do. */
const ALL = `const { readdirSync } = require("fs");
const files = readdirSync(__dirname).filter((name) => name !== "all.js").sort();
for (const name of files) require("./" + name);
setTimeout(() => console.log(files.length + " files of tests pass"), 250);
`;
const PARSE = `const assert = require("assert");
const ms = require("..");
assert.equal(ms("2 weeks"), 1209600000);
assert.equal(ms("1y"), 31557600000);
assert.equal(ms(60000, { long: true }), "1 minute");
`;

/** Git with nothing of this machine in it, always by the same person at the same time. */
export function git(dir, ...args) {
  const who = Object.fromEntries(["AUTHOR", "COMMITTER"].flatMap((role) => [[`GIT_${role}_NAME`, "Ada"], [`GIT_${role}_EMAIL`, "ada@example.org"], [`GIT_${role}_DATE`, "1700000000 +0000"]]));
  const env = { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_TERMINAL_PROMPT: "0", ...who };
  return execFileSync("git", ["-C", dir, ...args], { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Makes it in `dir`. */
export function repository(dir) {
  mkdirSync(dir, { recursive: true });
  git(dir, "init", "--quiet", "--initial-branch=main");
  cpSync(LIBRARY, dir, { recursive: true });
  commit(dir, "As it was published");
  mkdirSync(join(dir, "tests"));
  writeFileSync(join(dir, "tests/all.js"), ALL);
  writeFileSync(join(dir, "tests/parse.js"), PARSE);
  writeFileSync(join(dir, ".gitignore"), ".ran\n");
  commit(dir, "Tests");
}

function commit(dir, message) {
  git(dir, "add", "--all");
  git(dir, "commit", "--quiet", "-m", message);
}
