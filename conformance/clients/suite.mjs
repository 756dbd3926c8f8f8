// The cases for every requested version, as tests. Started by run.mjs, which sets the environment.
import { describe, test } from "node:test";
import { CASES } from "./lib/cases.mjs";
import { deviations } from "./lib/deviations.mjs";
import { fleet } from "./lib/harness.mjs";
import { kebab, loadClient } from "./lib/versions.mjs";

const { HOSTEL_URL, HOSTEL_AGENT, HOSTEL_VERSIONS, HOSTEL_DEVIATIONS } = process.env;
const url = HOSTEL_URL.replace(/\/$/, "");
const host = new URL(url).host;
const slug = kebab(HOSTEL_AGENT);
const deviation = deviations(HOSTEL_DEVIATIONS);
const versions = HOSTEL_VERSIONS.split(",");

for (const version of versions) {
  const generation = await loadClient(version);
  const concerned = CASES.filter((c) => (!c.needs || generation[c.needs]) && (!c.once || version === versions.at(-1)));
  describe(`agents ${version}`, { concurrency: true }, () => {
    for (const { name, run } of concerned) {
      test(`${version}: ${name}`, { todo: deviation(version, name), timeout: 60_000 }, async () => {
        const clients = fleet(generation, { host });
        // The oldest clients send the name as it is, and their users wrote the slug themselves.
        const agent = generation.kebab ? HOSTEL_AGENT : slug;
        try {
          await run({ generation, open: clients.open, agent, slug, url, host });
        } finally {
          clients.closeAll();
        }
      });
    }
  });
}
