// Bundles the chat page with the packages of one generation, which lie in a folder of their own each.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../bundle.mjs";

const clients = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** The generations that are installed, newest first. */
export const GENERATIONS = ["0.32.0", "0.21.0", "0.2.35", "0.0.43"];

/** @returns {Promise<string>} JavaScript for a browser */
export async function chatBundle(generation) {
  const folder = join(clients, "generations", generation);
  if (!existsSync(join(folder, "node_modules"))) throw new Error(`no packages in ${folder}: run \`npm ci\` there`);
  const hasOwnPackage = existsSync(join(folder, "node_modules/@cloudflare/ai-chat"));
  const names = { "agent-hook": "agents/react", "chat-hook": hasOwnPackage ? "@cloudflare/ai-chat/react" : "agents/ai-react" };
  return bundle("chat.jsx", { plugins: [fromFolder(folder, names)] });
}

// What the page imports is looked up in the folder of the generation, so that there is one React and the right hook.
function fromFolder(folder, names) {
  const setup = (bundler) => {
    bundler.onResolve({ filter: /^[^./]/ }, ({ path, importer, kind, pluginData }) => {
      if (pluginData === "again" || !importer.startsWith(join(clients, "page"))) return undefined;
      return bundler.resolve(names[path] ?? path, { resolveDir: folder, kind, pluginData: "again" });
    });
  };
  return { name: "generation", setup };
}
