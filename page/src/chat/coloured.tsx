// Code in colours. The highlighter is loaded when code is first seen; until then, and for unknown languages, it is plain.
import type { ElementContent, Root } from "hast";
import { memo, useEffect, useMemo, useState, type ReactNode } from "react";
import { loaded as whenLoaded } from "../load";

type Highlighter = typeof import("./languages");

let loaded: Highlighter | null = null;
let loading: Promise<Highlighter | null> | null = null;
const load = () =>
  (loading ??= whenLoaded(() => import("./languages")).then(
    (module) => (loaded = module),
    // Code stays plain until there is more of it.
    () => (loading = null),
  ));

/** Longer texts cost more than their colours are worth. */
const MOST = 200_000;

export function useHighlighter(isWanted: boolean): Highlighter | null {
  const [module, setModule] = useState(loaded);
  useEffect(() => {
    if (!isWanted || module) return;
    let isHere = true;
    void load().then((module) => isHere && setModule(module));
    return () => void (isHere = false);
  }, [isWanted, module]);
  return module;
}

export const Coloured = memo(function Coloured({ text, language }: { text: string; language: string }) {
  const highlighter = useHighlighter(language !== "" && text.length < MOST);
  const tree = useMemo(() => (text.length < MOST ? highlighter?.colour(text, language) : null), [highlighter, text, language]);
  return <>{tree ? nodes(tree.children) : text}</>;
});

/** The lines of a text, each in its colours. */
export function useLines(text: string, language: string): ReactNode[] {
  const highlighter = useHighlighter(language !== "" && text.length < MOST);
  return useMemo(() => {
    const tree = text.length < MOST ? highlighter?.colour(text, language) : null;
    return tree ? inLines(tree) : text.split("\n");
  }, [highlighter, text, language]);
}

function nodes(children: (ElementContent | Root["children"][number])[]): ReactNode[] {
  return children.map((child, at) => {
    if (child.type === "text") return child.value;
    if (child.type !== "element") return null;
    return (
      <span key={at} className={classOf(child.properties.className)}>
        {nodes(child.children)}
      </span>
    );
  });
}

const classOf = (name: unknown) => (Array.isArray(name) ? name.join(" ") : undefined);

/** A span that runs over several lines is begun anew on each. */
function inLines(tree: Root): ReactNode[] {
  const lines: ReactNode[][] = [[]];
  const walk = (children: (ElementContent | Root["children"][number])[], name: string) => {
    for (const child of children) {
      if (child.type === "element") walk(child.children, `${name} ${classOf(child.properties.className) ?? ""}`);
      if (child.type !== "text") continue;
      child.value.split("\n").forEach((piece, at) => {
        if (at > 0) lines.push([]);
        const line = lines[lines.length - 1];
        if (piece) line.push(name ? <span key={line.length} className={name}>{piece}</span> : piece);
      });
    }
  };
  walk(tree.children, "");
  return lines;
}
