// What is set for a conversation: its model, where its commands run, GitHub, MCP servers, and what needs no yes.
import type { Agent } from "../link";
import type { ModelChoice } from "../models";
import { Account } from "../setup/account";
import { Models } from "../setup/models";
import { Place } from "../setup/place";
import { Rules } from "../setup/rules";
import { Servers } from "../setup/servers";
import { Dialog } from "./dialog";
import { Icon } from "./icon";
import type { Waiting } from "./waits";

interface Props {
  agent: Agent;
  name: string;
  isOpen: boolean;
  changed: string;
  models: ModelChoice;
  waits: Waiting[];
  close: () => void;
}

export function SettingsSheet({ agent, name, isOpen, changed, models, waits, close }: Props) {
  const when = isOpen ? changed : null;
  return (
    <Dialog label="Settings of this conversation" className="sheet setup" close={close}>
      <header>
        <h2>Settings</h2>
        <button className="icon-button" aria-label="Close" onClick={close}>
          <Icon name="x" />
        </button>
      </header>
      <div className="setup-parts">
        <Models models={models} />
        <Place agent={agent} name={name} when={when} />
        <Account agent={agent} when={when} />
        <Servers agent={agent} when={when} waits={waits} />
        <Rules agent={agent} when={when} />
      </div>
    </Dialog>
  );
}
