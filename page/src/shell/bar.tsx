// The line above a conversation: its title, how it stands with it, and what it has used.
import { useState } from "react";
import type { Agent, LinkState } from "../link";
import { setToken, useToken } from "../token";
import { Gauge, ModeSwitch } from "./gauge";
import { Icon } from "./icon";

interface Props {
  name: string;
  title: string;
  link: LinkState;
  rename: (name: string, title: string) => void;
  toggleList: () => void;
  isShown: boolean;
  toggleWorkbench: () => void;
  agent: Agent;
  isOpen: boolean;
  changed: string;
  openSettings: () => void;
}

const WORDS = { connecting: "connecting", open: "connected", reconnecting: "reconnecting", refused: "refused" };

export function Bar({ name, title, link, rename, toggleList, isShown, toggleWorkbench, agent, isOpen, changed, openSettings }: Props) {
  const token = useToken();
  return (
    <header className="bar">
      <button className="icon-button" aria-label="List of conversations" title="List of conversations" onClick={toggleList}>
        <Icon name="sidebar" />
      </button>
      <Title key={name} name={name} title={title} rename={rename} />
      <span className="link" data-phase={link.phase} title={link.phase === "open" ? `Connected to coder/${name}` : WORDS[link.phase]}>
        <i />
        <span>{WORDS[link.phase]}</span>
      </span>
      <span className="grow" />
      <Gauge agent={agent} isOpen={isOpen} changed={changed} />
      <ModeSwitch agent={agent} isOpen={isOpen} changed={changed} />
      {token && (
        <button className="button small" onClick={() => setToken(null, false)}>
          Sign out
        </button>
      )}
      <button className="icon-button" aria-label="Settings: model, where commands run, GitHub, MCP servers, rules" title="Settings" onClick={openSettings}>
        <Icon name="sliders" />
      </button>
      <button className="icon-button" aria-label={isShown ? "Hide the workbench" : "Show the workbench: files, changes, terminal, plan"} aria-pressed={isShown} title="Workbench" onClick={toggleWorkbench}>
        <Icon name="panel" />
      </button>
    </header>
  );
}

function Title({ name, title, rename }: Pick<Props, "name" | "title" | "rename">) {
  const [isEditing, setEditing] = useState(false);
  if (!isEditing) {
    return (
      <h1 className="bar-title">
        <button title="Rename" onClick={() => setEditing(true)}>{title || name}</button>
      </h1>
    );
  }
  const done = (value: string) => {
    setEditing(false);
    if (value.trim() && value.trim() !== title) rename(name, value.trim());
  };
  return (
    <input
      className="bar-title"
      aria-label="Title of the conversation"
      autoFocus
      defaultValue={title || name}
      onFocus={(event) => event.target.select()}
      onBlur={(event) => done(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") done(event.currentTarget.value);
        if (event.key === "Escape") (event.stopPropagation(), setEditing(false));
      }}
    />
  );
}
