// Tests that are expected to fail against a given server, by name, with the reason. Such a test still
// runs and is reported as "todo"; it does not fail the run.
import { readFileSync } from "node:fs";

export function deviations(file) {
  const { entries } = JSON.parse(readFileSync(file, "utf8"));
  return (version, name) =>
    entries.find((entry) => entry.test === name && (!entry.versions || entry.versions.includes(version)))?.reason;
}
