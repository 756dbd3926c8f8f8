// One field to go anywhere and do anything.
import { useMemo, useState, type KeyboardEvent } from "react";
import type { Conversation } from "../conversations";
import { ago } from "../words";
import type { Key } from "../keys";
import { Dialog } from "./dialog";
import { Icon } from "./icon";
import { Keycaps } from "./keycaps";

export type Command = Key;

interface Props {
  list: Conversation[];
  current: string;
  commands: Command[];
  open: (name: string) => void;
  close: () => void;
}

interface Item {
  id: string;
  title: string;
  hint?: string;
  keys?: string;
  run: () => void;
}

export function Palette({ list, current, commands, open, close }: Props) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const items = useMemo(() => found(text, list, current, commands, open), [text, list, current, commands, open]);
  const chosen = Math.min(at, items.length - 1);
  const run = (item: Item | undefined) => {
    close();
    item?.run();
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setAt((chosen + step + items.length) % Math.max(1, items.length));
    if (event.key === "Enter") run(items[chosen]);
    if (step || event.key === "Enter") event.preventDefault();
  };
  return (
    <Dialog label="Go to or do anything" className="palette" close={close}>
      <div className="palette-field">
        <Icon name="search" />
        <input
          autoFocus
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-items"
          aria-activedescendant={items[chosen] && `item-${items[chosen].id}`}
          aria-label="Search conversations and commands"
          placeholder="Search conversations and commands"
          value={text}
          onChange={(event) => (setText(event.target.value), setAt(0))}
          onKeyDown={press}
        />
      </div>
      <ul id="palette-items" role="listbox" aria-label="Found">
        {items.map((item, index) => (
          <li key={item.id} id={`item-${item.id}`} role="option" aria-selected={index === chosen} onPointerMove={() => setAt(index)} onClick={() => run(item)}>
            <span>{item.title}</span>
            {item.hint && <small>{item.hint}</small>}
            {item.keys && <Keycaps keys={item.keys} />}
          </li>
        ))}
        {items.length === 0 && <li className="none">Nothing is called that.</li>}
      </ul>
    </Dialog>
  );
}

function found(text: string, list: Conversation[], current: string, commands: Command[], open: (name: string) => void): Item[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (title: string) => words.every((word) => title.toLowerCase().includes(word));
  const talks = list.filter((one) => one.name !== current && fits(`${one.title} ${one.name}`));
  const to = talks.slice(0, 30).map((one) => ({ id: `c-${one.name}`, title: one.title || one.name, hint: one.waiting ? "waits for you" : ago(one.at), run: () => open(one.name) }));
  const doing = commands.filter((one) => fits(one.title)).map((one) => ({ ...one, id: `k-${one.id}` }));
  return words.length ? [...to, ...doing] : [...doing, ...to];
}
