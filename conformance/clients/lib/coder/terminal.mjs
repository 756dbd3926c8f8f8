// `hostel chat` at a terminal of its own, which `script` makes.
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { scrub } from "./talk.mjs";

const QUESTION = /^(\S+) asks to run with /;
/** What is not of the conversation: prompts with what was typed, echoes, and how it stands with the server. Nothing of the agent's is: what comes
 * behind a prompt that was left standing is a difference. */
const ASIDE = /^((\[y\/n(\/always)?\] |> )?(y|teach it months|\/quit)?|\S+ asks to run with .*|connected (to|again).*|.*; trying again|the server goes on with the answer|it was answered elsewhere|the question changed: look again|… \d+ messages before)$/;

/** Opens one. */
export async function openTerminal(hostel, url, name) {
  const command = `exec '${hostel}' chat coder/${name} --url ${url.origin} --last 100`;
  const child = spawn("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, TERM: "dumb", SHELL: "/bin/sh" } });
  const it = { raw: "" };
  const gone = new Promise((done) => child.once("exit", (code) => ((it.code = code), done(code))));
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (it.raw += text));
  child.stdin.on("error", () => undefined);
  it.type = (line) => child.stdin.write(`${line}\n`);
  it.lines = () => lines(it.raw);
  /** What is asked now: the last question, if nothing was typed or decided since. */
  it.asks = () => it.lines().findLast((line) => QUESTION.test(line));
  it.shows = () => it.lines().map((line) => scrub(line)).filter((line) => !ASIDE.test(line));
  it.errors = () => it.lines().filter((line) => /^(error|fix)?: |the turn failed|panicked|not answered:|✗ (?!was ended)/.test(line));
  it.close = async () => {
    it.type("/quit");
    const code = await Promise.race([gone, sleep(20_000, "it does not end")]);
    child.kill("SIGKILL");
    return code;
  };
  while (!/connected to/.test(it.raw)) {
    if (it.code !== undefined) throw new Error(`the terminal ended with ${it.code}:\n${it.raw}`);
    await sleep(10);
  }
  return it;
}

/** Lines as a terminal shows them: what was wiped is gone, and colours are none. */
function lines(raw) {
  const plain = raw.replace(/\x1b\[[0-9;?]*[A-JL-Za-z]/g, "");
  return plain.split("\n").map((line) => line.replace(/\r+$/, "").split("\x1b[K").at(-1).split("\r").at(-1));
}
