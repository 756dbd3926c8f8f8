// One conversation: the real useAgent and useAgentChat, and what is shown of them.
import { useAgentChat } from "@cloudflare/ai-chat/react";
import { useAgentToolEvents } from "agents/react";
import type { FileUIPart, UIMessage } from "ai";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Failed, Queued, Working } from "./chat/ends";
import { askingBelow, type HelperRun } from "./chat/helpers";
import { Message } from "./chat/message";
import { asking, isSettled, isTool, markOf, textOf, toolPart, type Part } from "./chat/parts";
import { Transcript } from "./chat/transcript";
import { Composer } from "./composer";
import { Context, type ConversationContext } from "./context";
import { noteConversation } from "./conversations";
import { useAnswering } from "./answering";
import { useAsked } from "./calls";
import { useGoingBack } from "./going-back";
import { kept, useKept } from "./kept";
import { useKeys } from "./keys";
import { useLink } from "./link";
import { useLiveTurn } from "./live-turn";
import { useModels } from "./models";
import { useQueue } from "./queue";
import { AGENT } from "./settings";
import { Bar } from "./shell/bar";
import { Ask, type Notice } from "./shell/ask";
import type { Command } from "./shell/palette";
import { SettingsSheet } from "./shell/settings-sheet";
import { SignIn } from "./shell/sign-in";
import { Start } from "./shell/start";
import { Status } from "./shell/status";
import { Waits } from "./shell/waits";
import { Workbench, type Pane } from "./shell/workbench";
import { headers, useToken } from "./token";

interface Props {
  name: string;
  title: string;
  toggleList: () => void;
  setCommands: (commands: Command[]) => void;
  rename: (name: string, title: string) => void;
}

export function Conversation({ name, title, toggleList, setCommands, rename }: Props) {
  const token = useToken();
  const [isShown, setShown] = useKept("workbench", false);
  const [pane, setPane] = useKept<Pane>("pane", "files");
  const [path, setPath] = useState<string | null>(null);
  const [agent, link, news, waits] = useLink({ agent: AGENT, name });
  const sent = useMemo(() => headers(token), [token]);
  const chat = useAgentChat({
    agent,
    headers: sent,
    // The server has the conversation: what is new is all it needs.
    prepareSendMessagesRequest: ({ messages, trigger }) => (trigger === "submit-message" ? { body: { messages: messages.slice(-1) } } : {}),
  });
  const { messages, status, error, sendMessage, stop, regenerate, clearHistory, isStreaming, isRecovering } = chat;
  const { runsByToolCallId } = useAgentToolEvents<Part>({ agent });
  const own = asking(messages);
  const waiting = [...own, ...askingBelow(Object.values(runsByToolCallId).flat())];
  const isOpen = link.phase === "open";
  const isBusy = status === "submitted" || isStreaming || isRecovering;
  const changed = `${settledIn(messages)} ${isBusy} ${news}`;

  const send = useCallback(
    (text: string, files: FileUIPart[]) => {
      noteConversation(name, { at: Date.now(), ...(title ? {} : { title: titleFrom(text) }) });
      void sendMessage({ text, files }).catch(() => undefined);
    },
    [name, title, sendMessage],
  );
  const queue = useQueue(name, isOpen && !isBusy && waiting.length === 0, send);

  const answer = useAnswering(agent, name, sent, (part) => own.some((one) => one.approval?.id === part.approval?.id), chat.addToolApprovalResponse);

  const snapshots = useAsked<{ messageId: string; changed?: boolean }[]>(agent, "snapshots", [], isOpen ? changed : null);
  const composer = useRef<{ put: (text: string) => void; focus: () => void }>(null);
  const [notice, setNotice] = useState<Notice | null>(null);
  const put = useCallback((text: string) => composer.current?.put(text), []);
  const { rewind, fork } = useGoingBack({ agent, name, title, put, tell: setNotice });
  const canRewind = snapshots.missing === false && isOpen && !isBusy;
  const again = useCallback(() => void regenerate().catch(() => undefined), [regenerate]);
  const show = useCallback((next: string) => (setPath(next), setPane("files"), setShown(true)), [setPane, setShown]);
  const helpersOf = useCallback((id: string): HelperRun[] => runsByToolCallId[id] ?? [], [runsByToolCallId]);
  const context = useMemo<ConversationContext>(
    () => ({ name, agent, isOpen, isBusy, changed, answer, rewind: canRewind ? rewind : null, fork: canRewind ? fork : null, regenerate: isOpen && !isBusy && waiting.length === 0 ? again : null, show, helpersOf }),
    [name, agent, isOpen, isBusy, changed, answer, canRewind, rewind, fork, again, waiting.length, show, helpersOf],
  );

  const models = useModels(agent, isOpen ? changed : null);
  const [isSettingUp, setSettingUp] = useState(false);
  const openSettings = useCallback(() => setSettingUp(true), []);
  const live = useLiveTurn(agent);
  const halt = useCallback(() => {
    void stop().catch(() => undefined);
    // The hook stops what this tab asked for; an answer that another tab asked for is stopped by its id.
    if (live.current) agent.send(JSON.stringify({ type: "cf_agent_chat_request_cancel", id: live.current }));
  }, [agent, live, stop]);
  // What is shown is looked up when a key is pressed: of two presses in one moment, the second is not to see what was before the first.
  const toggleWorkbench = useCallback(() => setShown(!kept("workbench", false)), [setShown]);
  const toggle = useCallback((next: Pane) => (kept("workbench", false) && kept<Pane>("pane", "files") === next ? setShown(false) : (setPane(next), setShown(true))), [setPane, setShown]);
  const clearing = useRef(clearHistory);
  clearing.current = clearHistory;
  const commands = useMemo<Command[]>(
    () => [
      { id: "workbench", title: "Show or hide the workbench", keys: "mod+j", run: toggleWorkbench },
      { id: "files", title: "Files", keys: "mod+shift+e", run: () => toggle("files") },
      { id: "changes", title: "Changes", keys: "mod+shift+g", run: () => toggle("changes") },
      { id: "terminal", title: "Terminal", keys: "mod+`", run: () => toggle("terminal") },
      { id: "write", title: "Write a message", keys: "i", run: () => composer.current?.focus() },
      { id: "settings", title: "Settings: model, where commands run, GitHub, MCP servers, rules", keys: "mod+,", run: openSettings },
      { id: "again", title: "Answer again", run: again },
      { id: "clear", title: "Clear this conversation", run: () => setNotice({ text: "Clear this conversation? Its messages are deleted for everybody. Files stay.", yes: "Clear", danger: true, act: () => clearing.current() }) },
    ],
    [again, openSettings, toggleWorkbench, toggle],
  );
  useEffect(() => setCommands(commands), [commands, setCommands]);
  useEffect(() => noteConversation(name, {}), [name]);
  useKeys(
    [
      { id: "stop", title: "Stop", keys: "escape", run: () => isBusy && halt() },
      { id: "allow", title: "Allow", keys: "mod+enter", run: () => waiting[0] && void answer(waiting[0], { approve: true }) },
      { id: "deny", title: "Deny", keys: "mod+backspace", run: () => waiting[0] && void answer(waiting[0], { approve: false }) },
    ],
    isBusy || waiting.length > 0,
  );

  const last = messages.at(-1);
  const mark = `${messages.length} ${last?.parts.length} ${status}`;
  return (
    <Context.Provider value={context}>
      <main className="main" data-workbench={isShown ? "open" : "shut"}>
        <div className="talk">
          <Bar name={name} title={title} link={link} rename={rename} toggleList={toggleList} isShown={isShown} toggleWorkbench={toggleWorkbench} agent={agent} isOpen={isOpen} changed={changed} openSettings={openSettings} />
          <Status link={link} />
          <Waits waiting={waits} />
          {link.needsToken ? (
            <SignIn link={link} />
          ) : (
            <>
              <Transcript mark={mark}>
                {messages.length === 0 && !isBusy && <Start say={put} hasModel={models.hasModel} />}
                {messages.map((message) => (
                  <Message key={message.id} message={message} mark={markOf(message)} isLast={message === last} isBusy={isBusy} rewind={context.rewind} fork={context.fork} regenerate={message === last ? context.regenerate : null} />
                ))}
                {isBusy && last?.role === "user" && <Working text={isRecovering ? "Going on where it was" : "Working"} />}
                {error && !CUT.test(error.message) && <Failed text={error.message} again={context.regenerate} />}
                {queue.waiting.length > 0 && <Queued queue={queue} />}
              </Transcript>
              <p className="hidden" role="status">
                {announcement(isBusy, waiting.length, last)}
              </p>
              {notice && <Ask key={notice.text} notice={notice} done={() => setNotice(null)} />}
              <Composer ref={composer} name={name} agent={agent} isOpen={isOpen} isBusy={isBusy} asks={waiting.length} send={(text, files) => (isBusy || waiting.length ? queue.add(text, files) : send(text, files))} stop={halt} models={models} openSettings={openSettings} />
            </>
          )}
        </div>
        {isShown && <Workbench pane={pane} setPane={setPane} close={() => setShown(false)} path={path} setPath={setPath} />}
        {isSettingUp && <SettingsSheet agent={agent} name={name} isOpen={isOpen} changed={changed} models={models} waits={waits} close={() => setSettingUp(false)} />}
      </main>
    </Context.Provider>
  );
}

/** What the hook says when the line was cut in mid-answer, or when it then hears the rest of what it had heard the beginning of. No answer
 * has failed: the server goes on with it, and the transcript has all of it. */
const CUT = /^(WebSocket closed mid-stream|No tool invocation found for (tool call|approval) ID)/;

/** How many calls have ended: when it grows, files may have changed. */
function settledIn(messages: UIMessage[]): number {
  return messages.reduce((sum, message) => sum + message.parts.filter((part) => isTool(part) && isSettled(toolPart(part))).length, messages.length);
}

export function titleFrom(text: string): string {
  const line = text.trim().split("\n")[0].replace(/\s+/g, " ");
  return line.length > 60 ? `${line.slice(0, 57).trimEnd()}…` : line;
}

function announcement(isBusy: boolean, asks: number, last: UIMessage | undefined): string {
  if (asks > 0) return "The agent asks for your approval.";
  if (isBusy) return "The agent is at work.";
  return last?.role === "assistant" ? `The agent answered: ${textOf(last).slice(0, 400)}` : "";
}
