// The moments at which the server is killed, by name, and which of them have been seen to go well.
//   {frame: 7}                      behind the n-th frame at the raw socket that is no delta
//   {door: 3, way: "there"|"back"}  at the n-th request of GitHub: it never comes there, or its answer never comes back
//   {request: "/pulls$", way}       at the first one like this
//   {ran: "first begun"}            once the command has written this
//   {asked: "git_push"}             when this tool is asked about, before anybody answers
//   {allowed: "replace"}            when somebody has said yes to it
//   {end: true}                     when all is said
import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** Each kind of moment, in two sessions: before a question and behind a yes, between commit, push and pull request, at the end; in a command, and with
 * the push and the pull request made and nobody told. */
const FEW = [
  [{ allowed: "clone_repository" }, { asked: "replace" }, { allowed: "write_file" }, { asked: "git_push" }, { asked: "createPullRequest" }, { end: true }],
  [{ ran: "first begun" }, { request: "^POST .*git-receive-pack", way: "back" }, { request: "^POST .*/pulls$", way: "back" }],
];

/** All that are chosen; `calm` is the session that nobody disturbed. */
export function moments({ kills, at, every, from, to }, calm) {
  if (at) return at.map((one) => JSON.parse(one));
  const chosen = kills.split(",");
  if (chosen.includes("few")) return FEW;
  const all = [];
  const last = Math.min(Number(to), calm.steps.length);
  if (chosen.includes("frames")) for (let frame = Number(from); frame <= last; frame += Number(every)) all.push({ frame });
  if (chosen.includes("door")) for (let door = 1; door <= calm.requests; door++) all.push({ door, way: "there" }, { door, way: "back" });
  if (chosen.includes("commands")) all.push({ ran: "first begun" }, { ran: "first over" });
  return all;
}

/** A file with a line for each moment that was tried: those that went well are not tried again. */
export function ledger(file) {
  const lines = file && existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").filter(Boolean) : [];
  const done = new Set(lines.map((line) => JSON.parse(line)).filter(({ ok }) => ok).map(({ kill }) => JSON.stringify(kill)));
  const note = (line) => file && appendFileSync(file, `${JSON.stringify(line)}\n`);
  return { has: (kill) => done.has(JSON.stringify(kill)), note };
}
