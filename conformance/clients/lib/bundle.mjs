// Bundles a page of the tests for a browser.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const clients = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * A file of `page/`, with everything it imports.
 * @param {string} page its name
 * @param {import("esbuild").BuildOptions} more where its imports come from
 * @returns {Promise<string>} JavaScript
 */
export async function bundle(page, more) {
  const result = await build({
    entryPoints: [join(clients, "page", page)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
    ...more,
  });
  return result.outputFiles[0].text;
}

/** A page that imports "agents-react", with the client of this version. */
export function bundleWith(page, version) {
  const require = createRequire(import.meta.url);
  return bundle(page, { alias: { "agents-react": require.resolve(`agents-${version.replaceAll(".", "-")}/react`) } });
}
