// The whole of the page: which conversation, the list beside it, and what lies over both.
import { Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { useConversations } from "./conversations";
import { Conversation } from "./conversation";
import { Fault } from "./shell/fault";
import { Palette, type Command } from "./shell/palette";
import { Sheet } from "./shell/sheet";
import { Sidebar } from "./shell/sidebar";
import { Skeleton } from "./shell/skeleton";
import { useKeys } from "./keys";
import { kept, useKept } from "./kept";
import { freshName, go, useName } from "./route";
import { NEXT, useTheme } from "./theme";
import { useToken } from "./token";

/** Which layer is over the page. */
type Over = "palette" | "keys" | null;

export function App() {
  const name = useName() ?? first();
  const token = useToken();
  const [theme, setTheme] = useTheme();
  const [over, setOver] = useState<Over>(null);
  const [isListOpen, setListOpen] = useKept("list", true);
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const { list, rename, forget } = useConversations();
  const [commands, setCommands] = useState<Command[]>([]);

  useEffect(() => go(name, "replace"), [name]);
  useEffect(() => {
    const title = list.find((one) => one.name === name)?.title || name;
    const waiting = list.filter((one) => one.waiting).length;
    document.title = `${waiting ? `(${waiting}) ` : ""}${title} · Hostel`;
  }, [list, name]);

  const open = useCallback((next: string) => {
    go(next);
    setDrawerOpen(false);
  }, []);
  const begin = useCallback(() => open(freshName()), [open]);
  const remove = useCallback(
    (gone: string) => {
      void forget(gone);
      if (gone === name) open(list.find((one) => one.name !== gone)?.name ?? freshName());
    },
    [forget, list, name, open],
  );
  const toggleList = useCallback(() => {
    if (matchMedia("(max-width: 760px)").matches) setDrawerOpen((open) => !open);
    else setListOpen(!kept("list", true));
  }, [setListOpen]);

  const own = useMemo<Command[]>(
    () => [
      { id: "new", title: "New conversation", keys: "mod+shift+o", run: begin },
      { id: "list", title: "Show or hide the list of conversations", keys: "mod+b", run: toggleList },
      { id: "theme", title: `Theme: ${NEXT[theme]}`, run: () => setTheme(NEXT[theme]) },
      { id: "keys", title: "Keyboard shortcuts", keys: "?", run: () => setOver("keys") },
    ],
    [begin, toggleList, theme, setTheme],
  );
  const all = useMemo(() => [...own, ...commands], [own, commands]);
  useKeys([...all, { id: "palette", title: "Go to or do anything", keys: "mod+k", run: () => setOver("palette") }], over === null);

  return (
    <div className="app" data-list={isListOpen ? "open" : "shut"} data-drawer={isDrawerOpen ? "open" : "shut"}>
      <a className="skip" href="#composer">
        Skip to the message
      </a>
      <Sidebar list={list} current={name} open={open} begin={begin} rename={rename} remove={remove} theme={theme} setTheme={setTheme} search={() => setOver("palette")} />
      <button className="scrim" aria-label="Close the list of conversations" onClick={() => setDrawerOpen(false)} tabIndex={isDrawerOpen ? 0 : -1} />
      <Fault key={`${name} ${token ?? ""}`}>
        <Suspense fallback={<Skeleton />}>
          <Conversation name={name} toggleList={toggleList} setCommands={setCommands} title={list.find((one) => one.name === name)?.title ?? ""} rename={rename} />
        </Suspense>
      </Fault>
      {over === "palette" && <Palette list={list} current={name} commands={all} open={open} close={() => setOver(null)} />}
      {over === "keys" && <Sheet commands={all} close={() => setOver(null)} />}
    </div>
  );
}

/** Where a visitor without an address goes: to what was open last. */
function first(): string {
  return kept<{ name: string }[]>("conversations", [])[0]?.name ?? "default";
}
