// The list of differences that are intended, each with its reason.
//
// An entry: {"transcripts": regex, "where"?: regex, "expected"?: regex, "actual"?: regex, "reason": text}
// A given regex must match; `"expected": null` demands that nothing was recorded at that place (an extra
// answer), `"actual": null` that nothing came (a missing one). With `"additions": regex` the answer must be
// the recorded one exactly once everything that matches is taken out of it. `"surplus": true` marks an extra
// answer that must not be mistaken for a recorded one while the replay waits for those.
import { readFileSync } from "node:fs";

export function readExpectations(file) {
  const { entries } = JSON.parse(readFileSync(file, "utf8"));
  return entries.map((entry) => ({ ...entry, used: 0 }));
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
    new RegExp(`^(?:${entry.transcripts})$`).test(id) &&
    matches(entry.where, where) &&
    matches(entry.expected, expected) &&
    matches(entry.actual, actual) &&
    isExceptFor(entry.additions, expected, actual)
  );
}

function isExceptFor(additions, expected, actual) {
  return additions === undefined || actual?.replaceAll(new RegExp(additions, "g"), "") === expected;
}

function matches(pattern, text) {
  if (pattern === undefined) return true;
  if (pattern === null) return text === undefined;
  return text !== undefined && new RegExp(pattern).test(text);
}
