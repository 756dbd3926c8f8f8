// The list of differences that are intended, each with its reason.
//
// An entry: {"transcripts": regex, "where"?: regex, "expected"?: regex, "actual"?: regex, "reason": text}
// A given regex must match; `"expected": null` demands that nothing was recorded at that place (an extra
// answer), `"actual": null` that nothing came (a missing one). With `"additions": regex` the answer must be
// the recorded one exactly once everything that matches is taken out of it. `"surplus": true` marks an extra
// answer that must not be mistaken for a recorded one while the replay waits for those. `"moved": regex`: an answer that
// matches may come at another place of its connection; it excuses the one that is missing and the one that is extra together, if they
// are equal, and neither of them alone.
import { readFileSync } from "node:fs";

export function readExpectations(file) {
  const { entries } = JSON.parse(readFileSync(file, "utf8"));
  return entries.map((entry) => ({ ...entry, used: 0 }));
}

/** Takes out of the differences what is there as it was recorded, and merely at another place. */
export function withoutMoves(entries, id, differences) {
  const moved = [];
  for (const missing of differences) {
    const entry = entries.find(({ moved, transcripts, where }) => moved && isFor({ transcripts, where }, id, missing) && matches(moved, missing.expected));
    const extra = entry && differences.find(({ where, actual }) => where === missing.where && actual === missing.expected);
    if (!extra) continue;
    entry.used++;
    moved.push({ ...missing, kind: "moved", actual: extra.actual, reason: entry.reason });
    missing.expected = undefined;
    extra.actual = undefined;
  }
  const rest = differences.filter(({ expected, actual }) => expected !== undefined || actual !== undefined);
  for (const difference of rest) {
    if (difference.expected === undefined) difference.kind = "extra";
    else if (difference.actual === undefined) difference.kind = "missing";
  }
  return { moved, rest };
}

/** The entry that excuses a difference, or undefined. */
export function excuse(entries, id, difference) {
  const found = entries.find((entry) => applies(entry, id, difference));
  if (found) found.used++;
  return found;
}

/** Whether an answer is one more than was recorded, and known to be. */
export function isSurplus(entries, id, where, text) {
  return entries.some((entry) => entry.surplus && applies(entry, id, { where, expected: undefined, actual: text }));
}

function applies(entry, id, { where, expected, actual }) {
  return (
    !entry.moved &&
    isFor(entry, id, { where }) &&
    matches(entry.expected, expected) &&
    matches(entry.actual, actual) &&
    isExceptFor(entry.additions, expected, actual)
  );
}

function isFor(entry, id, { where }) {
  return new RegExp(`^(?:${entry.transcripts})$`).test(id) && matches(entry.where, where);
}

function isExceptFor(additions, expected, actual) {
  return additions === undefined || actual?.replaceAll(new RegExp(additions, "g"), "") === expected;
}

function matches(pattern, text) {
  if (pattern === undefined) return true;
  if (pattern === null) return text === undefined;
  return text !== undefined && new RegExp(pattern).test(text);
}
