// The chat agents of the recorded application.
import { AIChatAgent } from "@cloudflare/ai-chat";
import { callable } from "agents";
import { createUIMessageStream, createUIMessageStreamResponse } from "ai";

type Writer = { write(chunk: any): void };

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

function reply(execute: (writer: Writer) => Promise<void>, onError?: (error: any) => string) {
  const stream = createUIMessageStream({ execute: ({ writer }) => execute(writer as Writer), onError });
  return createUIMessageStreamResponse({ stream });
}

function writeAll(writer: Writer, chunks: unknown[]) {
  for (const chunk of chunks) writer.write(chunk);
}

const OPEN = [{ type: "start" }, { type: "start-step" }];
const close = (finishReason?: string) => [{ type: "finish-step" }, { type: "finish", finishReason }];

const TOOL_CALL = [
  { type: "tool-input-start", toolCallId: "tc1", toolName: "getLocation" },
  { type: "tool-input-delta", toolCallId: "tc1", inputTextDelta: '{"q":1}' },
  { type: "tool-input-available", toolCallId: "tc1", toolName: "getLocation", input: { q: 1 } },
];
const APPROVAL = [
  { type: "tool-input-available", toolCallId: "ap1", toolName: "danger", input: { x: 1 } },
  { type: "tool-approval-request", approvalId: "appr-1", toolCallId: "ap1" },
];

const continued = () =>
  reply(async (writer) =>
    writeAll(writer, [
      ...OPEN,
      { type: "text-start", id: "c1" },
      { type: "text-delta", id: "c1", delta: "continued" },
      { type: "text-end", id: "c1" },
      { type: "finish-step" },
      { type: "finish" },
    ]),
  );

const midStreamError = () =>
  reply(
    async (writer) => {
      writeAll(writer, [
        { type: "start" },
        { type: "text-start", id: "t1" },
        { type: "text-delta", id: "t1", delta: "partial" },
      ]);
      throw new Error("mid stream");
    },
    (error) => "ERR:" + error.message,
  );

async function echoWords(writer: Writer, text: string, options: any) {
  writeAll(writer, [{ type: "start", messageId: undefined }, { type: "start-step" }, { type: "text-start", id: "t1" }]);
  const body = JSON.stringify(options.body ?? null);
  const tools = JSON.stringify(options.clientTools ?? null);
  for (const word of `You said: ${text} body=${body} tools=${tools}`.split(" ")) {
    if (options.abortSignal?.aborted) break;
    writer.write({ type: "text-delta", id: "t1", delta: word + " " });
    if (text.startsWith("slow")) await sleep(150);
  }
  writeAll(writer, [{ type: "text-end", id: "t1" }, ...close("stop")]);
}

export class ChatAgent extends AIChatAgent<any, any> {
  async onChatMessage(_onFinish: any, options: any) {
    const parts = (this.messages.at(-1) as any)?.parts ?? [];
    const text = parts.filter((part: any) => part.type === "text").map((part: any) => part.text).join("");
    if (text === "none") return undefined as any;
    if (text === "throw") throw new Error("chat boom");
    if (text === "plain") return new Response("plain text answer", { headers: { "content-type": "text/plain" } });
    if (options.continuation) return continued();
    if (text === "errchunk") return midStreamError();
    if (text === "tool") return reply(async (w) => writeAll(w, [...OPEN, ...TOOL_CALL, ...close("tool-calls")]));
    if (text === "approval") return reply(async (w) => writeAll(w, [...OPEN, ...APPROVAL, ...close("tool-calls")]));
    if (text === "prewait") await sleep(1500);
    return reply((writer) => echoWords(writer, text, options));
  }

  async onRequest(request: Request) {
    return new Response("chat onRequest " + new URL(request.url).pathname);
  }

  @callable() tables() {
    return this.sql`select name, sql from sqlite_master where type in ('table','index') order by name`;
  }

  @callable() dump(table: string) {
    const readable = (_key: string, value: unknown) => (value instanceof ArrayBuffer ? "<blob>" : value);
    const rows = [...(this as any).ctx.storage.sql.exec("select * from " + table)];
    return rows.map((row) => JSON.parse(JSON.stringify(row, readable)));
  }
}

export class ChatLatest extends ChatAgent {
  messageConcurrency = "latest" as any;
}

export class ChatDrop extends ChatAgent {
  messageConcurrency = "drop" as any;
}

export class ToolChild extends ChatAgent {
  formatAgentToolInput(input: any) {
    return { id: crypto.randomUUID(), role: "user", parts: [{ type: "text", text: input.text ?? "hi" }] } as any;
  }
}
