// Every test of the page:  node tests/run.mjs [--hostel PATH] [--dist DIR]
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const files = readdirSync(here).filter((name) => name.endsWith(".test.mjs")).sort();
let failed = 0;
for (const file of files) failed += spawnSync(process.execPath, [join(here, file), ...process.argv.slice(2)], { stdio: "inherit" }).status === 0 ? 0 : 1;
process.exit(failed ? 1 : 0);
