// One terminal: xterm.js on the agent's streaming call.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal as Xterm } from "@xterm/xterm";
import { useEffect, useRef, useState } from "react";
import { useConversation } from "../context";
import type { Agent } from "../link";
import { feedOf, type Id } from "./feed";
import { strict, strictly } from "./strict-document";
import { typing } from "./typing";

export default function Terminal({ id }: { id: Id }) {
  const { agent } = useConversation();
  const box = useRef<HTMLDivElement>(null);
  const screen = useRef<Xterm | null>(null);
  const [ended, setEnded] = useState<string | null>(null);
  const now = useRef(agent);
  now.current = agent;

  useEffect(() => {
    if (!box.current) return;
    const { terminal, end } = shown(box.current, id, () => now.current);
    screen.current = terminal;
    return end;
  }, [id]);

  useEffect(() => feedOf(agent, id).watch({ write: (text) => screen.current?.write(text), end: setEnded }), [agent, id]);

  return (
    <div className="terminal-frame">
      <div className="terminal-screen" ref={box} role="application" aria-label="Terminal" />
      {ended !== null && <p className="ended" role="status">{ended}</p>}
    </div>
  );
}

/** Columns of the narrowest terminal that is one. */
const NARROWEST = 20;

function shown(box: HTMLElement, id: Id, agent: () => Agent) {
  const terminal = new Xterm({
    fontFamily: '"JetBrains Mono", ui-monospace, Menlo, Consolas, monospace',
    fontSize: 12.5,
    lineHeight: 1.25,
    cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    scrollback: 5000,
    screenReaderMode: false,
    theme: theme(),
    documentOverride: strict(document),
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  strictly(document, () => terminal.open(box));
  // Everything typed is the shell's, but for the page's own shortcuts with which one gets out of it.
  terminal.attachCustomKeyEventHandler((event) => !((event.ctrlKey || event.metaKey) && (event.key === "`" || event.shiftKey)));
  terminal.onData(typing((data) => agent().call("terminalInput", [{ id, data }])));
  terminal.onResize(({ rows, cols }) => void agent().call("terminalResize", [{ id, rows, columns: cols }]).catch(() => undefined));
  // While the pane slides in it is narrower than any line: a shell told of that would write its prompt over many.
  const isReady = () => box.offsetParent && (fit.proposeDimensions()?.cols ?? 0) >= NARROWEST;
  const sized = new ResizeObserver(() => isReady() && fit.fit());
  sized.observe(box);
  terminal.focus();
  return { terminal, end: () => (sized.disconnect(), terminal.dispose()) };
}

function theme() {
  const isDark = luminance(colour("--surface")) < 0.5;
  const base = { background: colour("--surface"), foreground: colour("--text"), cursor: colour("--accent"), cursorAccent: colour("--surface"), selectionBackground: isDark ? "#3a3f63" : "#cfd4f5" };
  if (isDark) return { ...base, black: "#3b3f45", red: "#ff9a90", green: "#6fce93", yellow: "#f0bd6a", blue: "#8cbcf5", magenta: "#d3a4ee", cyan: "#76d1d6", white: "#e9e8e5", brightBlack: "#92928f" };
  return { ...base, black: "#1c1b19", red: "#b3261e", green: "#1a7a42", yellow: "#8a5300", blue: "#1c5fa8", magenta: "#8a3ea8", cyan: "#0f6f78", white: "#6b665e", brightBlack: "#6b665e", brightRed: "#b3261e", brightGreen: "#1a7a42", brightYellow: "#8a5300", brightBlue: "#1c5fa8", brightMagenta: "#8a3ea8", brightCyan: "#0f6f78", brightWhite: "#1c1b19" };
}

/** A colour of the page's. One of two schemes is settled only where it is used, so it is used for a moment. */
function colour(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Of a colour as browsers compute it, `rgb(r, g, b)`, from 0 to 1. */
function luminance(text: string): number {
  const [red, green, blue] = (text.match(/[\d.]+/g) ?? []).map(Number);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}
