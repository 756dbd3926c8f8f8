// What is left of a session: files, history, what is at GitHub, and how often each thing was done.
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { git } from "./repository.mjs";

/** The directory that an agent works in. */
export function workspace(data, name) {
  const all = join(data, "workspaces");
  const found = existsSync(all) && readdirSync(all).find((entry) => entry.startsWith(`${name}-`) && !entry.includes("."));
  return found ? join(all, found) : null;
}

/** What the commands have written down of themselves. */
export function ran(dir) {
  const file = dir && join(dir, ".ran");
  return file && existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}

/** All of it, as values that are equal for equal sessions. */
export async function left(world, name) {
  const dir = workspace(world.data, name);
  const mirror = join(world.scratch, `mirror-${name}`);
  git(world.scratch, "clone", "--quiet", "--mirror", `${world.github.url}/ada/ms.git`, mirror);
  const there = refs(mirror, "refs/heads");
  rmSync(mirror, { recursive: true });
  return {
    files: files(dir),
    here: refs(dir, "refs/heads"),
    status: git(dir, "status", "--porcelain", "--branch"),
    locks: files(join(dir, ".git")).filter((line) => /\.lock /.test(line)),
    whole: git(dir, "fsck", "--no-dangling", "--no-progress"),
    beside: readdirSync(join(world.data, "workspaces")).filter((entry) => entry.startsWith(`${name}-`) && /\.(new|clone|beside)/.test(entry)),
    there,
    pulls: await pulls(world.github),
    writes: (await asked(`${world.github.url}/_fake/writes`)).map(({ what, by }) => `${by}: ${what}`),
  };
}

// Names of commits have moments in them: trees and words are what counts.
function refs(dir, below) {
  const names = git(dir, "for-each-ref", "--format=%(refname)", below).trim().split("\n");
  return names.map((name) => [name, git(dir, "log", name, "--topo-order", "--format=%T %P %s").trim().split("\n").map((line) => line.replace(/ [0-9a-f]{40}/g, " parent"))]);
}

function files(dir, below = "") {
  return readdirSync(join(dir, below)).sort().flatMap((name) => {
    const path = join(below, name);
    if (path === ".git" || path === ".ran") return [];
    const about = lstatSync(join(dir, path));
    if (about.isDirectory()) return files(dir, path);
    return [`${path} ${(about.mode & 0o777).toString(8)} ${createHash("sha256").update(readFileSync(join(dir, path))).digest("hex")}`];
  });
}

async function pulls({ api }) {
  const all = await asked(`${api}/repos/ada/ms/pulls?state=all`);
  return Promise.all(all.map(async ({ number, title, body, state, head, base }) => {
    const comments = await asked(`${api}/repos/ada/ms/issues/${number}/comments`);
    return { number, title, state, head: head.ref, base: base.ref, body: unmarked(body), comments: comments.map((comment) => unmarked(comment.body)) };
  }));
}

/** The mark by which the agent finds what it made is another each time. */
const unmarked = (text) => text.replace(/<!-- hostel:[0-9a-f]+ -->/, "<!-- mark -->");

async function asked(url) {
  const answer = await fetch(url, { headers: { "user-agent": "proof" } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}
