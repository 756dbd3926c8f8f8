// The suite imports `globSync` of Node 22 and needs it for none of what we run: Node 20 gets one that finds nothing.
import * as fs from "node:fs";
import { register } from "node:module";

if (!fs.globSync) {
  const shim = `export * from "node:fs"; export const globSync = () => [];`;
  const hooks = `export const resolve = (name, context, next) =>
    (name === "fs" || name === "node:fs") && context.parentURL?.includes("@modelcontextprotocol/conformance/")
      ? { url: ${JSON.stringify("data:text/javascript," + encodeURIComponent(shim))}, shortCircuit: true }
      : next(name, context);`;
  register("data:text/javascript," + encodeURIComponent(hooks));
}
