// Unmodified clients against `hostel serve` with authentication: every way in which a client can show a token, tokens that
// expire while a socket is open, and who is not let in.
//   node auth.mjs --hostel PATH/TO/hostel [--versions 0.32.0,0.0.43] [--no-browser] [--chromium /usr/bin/chromium]
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseArgs } from "node:util";
import { fleet, freshName, until, within } from "./lib/harness.mjs";
import { pageServer } from "./lib/page-server.mjs";
import { freePort, server } from "./lib/process.mjs";
import { loadClient, VERSIONS } from "./lib/versions.mjs";

const { values: flags } = parseArgs({
  options: {
    hostel: { type: "string" },
    versions: { type: "string", default: Object.keys(VERSIONS).join(",") },
    "no-browser": { type: "boolean", default: false },
    chromium: { type: "string", default: "/usr/bin/chromium" },
  },
});
if (!flags.hostel) {
  console.error("usage: node auth.mjs --hostel PATH/TO/hostel");
  process.exit(2);
}

const ISSUER = "https://id.example";
const EXPIRED = 3000;
const REFUSED = 4401;
const PATIENCE = 30_000;
// Long enough to connect on a busy machine, and soon over. The server adds a second.
const SHORT = 4;

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const scratch = mkdtempSync(join(tmpdir(), "hostel-auth-"));
const port = await freePort();
const host = `127.0.0.1:${port}`;
const words = [resolve(flags.hostel), "serve", "--listen", host, "--data", join(scratch, "data"), "--config", join(scratch, "hostel.toml")];
const hostel = server(words, `http://${host}/healthz`);

const json64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token of `subject` that is good for so many seconds; fewer than none: it has expired. */
function token(subject, seconds = 3600) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: ISSUER, aud: "hostel", sub: subject, exp: now + seconds };
  const signed = `${json64({ alg: "ES256", typ: "JWT", kid: "one" })}.${json64(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

async function serve() {
  const key = { ...publicKey.export({ format: "jwk" }), kid: "one", alg: "ES256", use: "sig" };
  writeFileSync(join(scratch, "keys.json"), JSON.stringify({ keys: [key] }));
  writeFileSync(
    join(scratch, "hostel.toml"),
    `[auth]
query = ["token"]
cookie = "session"
tickets = "30s"

[[auth.issuer]]
name = "${ISSUER}"
audience = "hostel"
algorithms = ["ES256"]
keys_file = "${join(scratch, "keys.json")}"
leeway = "1s"
`,
  );
  await hostel.start();
}

await serve();

after(async () => {
  await hostel.kill();
  rmSync(scratch, { recursive: true, force: true });
});

for (const version of flags.versions.split(",")) {
  const generation = await loadClient(version);
  describe(`agents ${version}`, () => {
    for (const { name, run } of CASES()) {
      test(`${version}: ${name}`, { timeout: 90_000 }, async () => {
        const clients = fleet(generation, { host });
        try {
          await run((options) => clients.open({ agent: "coder-agent", name: freshName("auth"), ...options }), generation);
        } finally {
          clients.closeAll();
        }
      });
    }
  });
}

async function works(seen) {
  await seen.opened();
  assert.deepEqual(await seen.call("getMessages", []), []);
}

function CASES() {
  return [
    {
      name: "an async query function shows a token",
      run: async (open) => works(open({ query: async () => ({ token: token("ada") }) })),
    },
    {
      name: "the name `me` is the agent of whoever asks",
      async run(open, generation) {
        const [ada, bob] = ["ada", "bob"].map((who) => open({ name: "me", query: async () => ({ token: token(who) }) }));
        await Promise.all([works(ada), works(bob)]);
        if (!generation.identity) return;
        await Promise.all([within(ada.client.ready, "ready of ada"), within(bob.client.ready, "ready of bob")]);
        assert.deepEqual([ada.client.name, bob.client.name], ["ada", "bob"]);
      },
    },
    {
      name: "a subprotocol shows a token, and the other one that was offered is agreed on",
      async run(open) {
        const seen = open({ protocols: ["hostel", `bearer.${token("ada")}`] });
        await works(seen);
        assert.equal(seen.client.protocol, "hostel");
      },
    },
    {
      name: "a ticket from the server is good for a socket, a new one for each",
      async run(open) {
        const ticket = async () => {
          const asked = { method: "POST", headers: { authorization: `Bearer ${token("ada")}` } };
          const answer = await fetch(`http://${host}/_hostel/ticket`, asked);
          assert.equal(answer.status, 200);
          return { ticket: (await answer.json()).ticket };
        };
        const seen = open({ query: ticket });
        await works(seen);
        seen.client.reconnect();
        await until(() => seen.opens === 2, "a second open", PATIENCE);
        await works(seen);
      },
    },
    {
      name: "a token that expires while the socket is open is followed by a fresh one",
      async run(open) {
        let asked = 0;
        const seen = open({ query: async () => ({ token: token("ada", ++asked === 1 ? SHORT : 3600) }) });
        await works(seen);
        await until(() => seen.opens === 2, "a second open", PATIENCE);
        assert.equal(seen.closes[0].code, EXPIRED);
        assert.match(seen.closes[0].reason, /^token_expired: /);
        assert.ok(asked >= 2, "the function was asked again");
        await works(seen);
      },
    },
    {
      name: "a client that has no other token than the expired one is told so for good",
      async run(open, generation) {
        const only = token("ada", SHORT);
        const seen = open({ query: async () => ({ token: only }) });
        await works(seen);
        await until(() => seen.closes.some(({ code }) => code === REFUSED), "the refusal", PATIENCE);
        assert.deepEqual([seen.closes[0].code, seen.opens >= 1], [EXPIRED, true]);
        if (!generation.terminalClose) return;
        assert.deepEqual(seen.connectionErrors.map(({ code }) => code), [REFUSED]);
      },
    },
    ...[
      ["nobody", {}, /^unauthorized: /],
      ["a stranger's token", { query: { token: `${token("ada").slice(0, -8)}AAAAAAAA` } }, /^token_invalid: /],
      ["an expired token", { query: { token: token("ada", -60) } }, /^token_expired: /],
    ].map(([who, options, reason]) => ({
      name: `${who} is refused with a reason`,
      async run(open, generation) {
        const seen = open(options);
        await until(() => seen.closes.length > 0, "the close event", PATIENCE);
        assert.equal(seen.closes[0].code, REFUSED);
        assert.match(seen.closes[0].reason, reason);
        assert.deepEqual([seen.states, seen.identities], [[], []]);
        if (generation.terminalClose) assert.equal(seen.connectionErrors.length, 1);
      },
    })),
  ];
}

// In a page, where the query of `useAgent` is kept for a while, and where cookies are.
const inPages = flags["no-browser"] ? [] : flags.versions.split(",").filter((version) => VERSIONS[version].subAgents);

describe("useAgent in Chromium", { skip: inPages.length === 0 }, () => {
  let browser;
  let pages;

  before(async () => {
    const [{ chromium }, { bundleWith }] = await Promise.all([import("playwright-core"), import("./lib/bundle.mjs")]);
    const bundles = {};
    for (const version of inPages) bundles[version] = await bundleWith("auth.jsx", version);
    pages = await pageServer({ bundles, upstream: new URL(`http://${host}`) });
    const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
    browser = await chromium.launch({ executablePath: flags.chromium, headless: true, args });
  });

  after(async () => {
    await browser?.close();
    pages?.close();
  });

  async function tab(version, options, prepare = async () => {}) {
    const context = await browser.newContext();
    await prepare(context);
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${pages.port}/page?${new URLSearchParams({ v: version, name: "me", ...options })}`);
    return page;
  }

  // A hook whose query changed opens a socket of its own beside the one that came back: as often as that, or once more.
  async function answers(page, opens) {
    const opened = (least) => Number(document.querySelector("#opens")?.textContent) >= least;
    await page.waitForFunction(opened, opens, { timeout: PATIENCE });
    await shows(page, "#identity", "coder-agent/ada");
    await until(async () => (await page.click("#call"), (await page.textContent("#result")) === "[]"), "an answer", PATIENCE);
  }

  for (const version of inPages) {
    test(`${version}: an async query; the token expires, and a fresh one is asked for`, async () => {
      let asked = 0;
      const next = () => token("ada", ++asked === 1 ? SHORT : 3600);
      const page = await tab(version, { way: "query" }, (context) => context.exposeFunction("nextToken", next));
      await shows(page, "#opens", "1");
      await shows(page, "#closed", String(EXPIRED));
      await answers(page, 2);
      assert.ok(asked >= 2);
      await page.context().close();
    });

    test(`${version}: a subprotocol`, async () => {
      const page = await tab(version, { way: "protocol", token: token("ada") });
      await answers(page, 1);
      await page.context().close();
    });

    test(`${version}: a cookie of the page's own site`, async () => {
      const url = `http://127.0.0.1:${pages.port}`;
      const page = await tab(version, { way: "cookie" }, (context) => context.addCookies([{ name: "session", value: token("ada"), url }]));
      await answers(page, 1);
      await page.context().close();
    });
  }
});

async function shows(page, selector, text) {
  const found = (wanted) => document.querySelector(wanted[0])?.textContent === wanted[1];
  await page.waitForFunction(found, [selector, text], { timeout: PATIENCE }).catch(async () => {
    assert.equal(await page.textContent(selector), text, selector);
  });
}
