// Which language a file is in, by its name.

const BY_NAME: Record<string, string> = { dockerfile: "dockerfile", makefile: "makefile", "cargo.lock": "toml", ".gitignore": "bash", ".npmrc": "ini" };
const BY_ENDING: Record<string, string> = { rs: "rust", py: "python", rb: "ruby", md: "markdown", h: "c", hpp: "cpp", cc: "cpp", cs: "csharp", ex: "elixir", exs: "elixir", hs: "haskell", kt: "kotlin", sh: "bash", yml: "yaml", lock: "toml", mjs: "javascript", cjs: "javascript", jsx: "javascript", js: "javascript", ts: "typescript", tsx: "typescript", htm: "xml", html: "xml", svg: "xml" };

export function languageOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const ending = name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : "";
  return BY_NAME[name] ?? BY_ENDING[ending] ?? ending;
}
