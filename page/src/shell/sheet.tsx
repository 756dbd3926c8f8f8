// The sheet of all shortcuts.
import type { Key } from "../keys";
import { Dialog } from "./dialog";
import { Icon } from "./icon";
import { Keycaps } from "./keycaps";

const WRITING = [
  { title: "Send", keys: "enter" },
  { title: "New line", keys: "shift+enter" },
  { title: "Commands of the agent", keys: "/" },
  { title: "Stop the answer", keys: "escape" },
];
const ASKED = [
  { title: "Allow what is asked for", keys: "mod+enter" },
  { title: "Deny it", keys: "mod+backspace" },
];

export function Sheet({ commands, close }: { commands: Key[]; close: () => void }) {
  const shown = commands.filter((command) => command.keys);
  const anywhere = [{ title: "Go to or do anything", keys: "mod+k" }, ...shown.map(({ title, keys }) => ({ title, keys: keys ?? "" }))];
  return (
    <Dialog label="Keyboard shortcuts" className="sheet" close={close}>
      <header>
        <h2>Keyboard shortcuts</h2>
        <button className="icon-button" aria-label="Close" onClick={close}>
          <Icon name="x" />
        </button>
      </header>
      <div className="sheet-columns">
        <Part title="Anywhere" keys={anywhere} />
        <div>
          <Part title="While writing" keys={WRITING} />
          <Part title="When the agent asks" keys={ASKED} />
        </div>
      </div>
    </Dialog>
  );
}

function Part({ title, keys }: { title: string; keys: { title: string; keys: string }[] }) {
  return (
    <section>
      <h3>{title}</h3>
      <dl>
        {keys.map((key) => (
          <div key={key.title}>
            <dt>{key.title}</dt>
            <dd>
              <Keycaps keys={key.keys} />
              <span className="hidden">{key.keys}</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
