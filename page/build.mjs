// Bundles the page into one directory:  node build.mjs --out DIR
// Assets have their hash in the name, and stand beside their compressed forms. Writes nothing outside of DIR.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({ options: { out: { type: "string", default: "dist" } } });
const out = resolve(flags.out);
const COMPRESSED = /\.(js|css|svg)$/;

const result = await build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.tsx", icon: "src/icon.svg" },
  outdir: join(out, "assets"),
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  write: false,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  jsx: "automatic",
  loader: { ".svg": "copy", ".woff2": "file" },
  define: { "process.env.NODE_ENV": '"production"' },
  // Comments with licences stay, each beside the code it is about.
  legalComments: "eof",
  metafile: true,
  logLevel: "warning",
});

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "assets"), { recursive: true });
for (const file of result.outputFiles) {
  if (file.path.endsWith(".js") && file.contents.length === 0) continue;
  writeFileSync(file.path, file.contents);
  if (COMPRESSED.test(file.path)) compress(file);
}
writeFileSync(join(out, "index.html"), html(Object.entries(result.metafile.outputs)));

function compress(file) {
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: file.contents.length };
  writeFileSync(`${file.path}.br`, brotliCompressSync(file.contents, { params: quality }));
  writeFileSync(`${file.path}.gz`, gzipSync(file.contents, { level: 9 }));
}

function html(outputs) {
  const entry = (source) => outputs.find(([, made]) => made.entryPoint === source);
  const [script, { cssBundle }] = entry("src/main.tsx");
  const icon = outputs.map(([path]) => basename(path)).find((name) => name.startsWith("icon-") && name.endsWith(".svg"));
  const names = { script: basename(script), style: basename(cssBundle), icon };
  const text = readFileSync(join(here, "index.html"), "utf8");
  return text.replace(/\{\{(script|style|icon)\}\}/g, (_, name) => names[name]);
}
