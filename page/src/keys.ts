// Keyboard shortcuts: `mod` is Cmd on Apple's keyboards and Ctrl elsewhere.
import { useEffect, useRef } from "react";

export interface Key {
  id: string;
  title: string;
  keys?: string;
  run: () => void;
}

export const IS_APPLE = /mac|iphone|ipad/i.test(navigator.platform);

const NAMES: Record<string, string> = { mod: IS_APPLE ? "⌘" : "Ctrl", shift: IS_APPLE ? "⇧" : "Shift", alt: IS_APPLE ? "⌥" : "Alt", enter: "Enter", escape: "Esc", backspace: "⌫" };

/** A shortcut as its keys are labelled. */
export const labels = (keys: string): string[] => keys.split("+").map((key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key));

const NONE: Key[] = [];

/** Runs what a key is for, wherever the focus is; keys without `mod` only where nobody is writing. */
export function useKeys(keys: Key[], isOn: boolean) {
  const now = useRef(keys);
  // Known from the moment it is drawn: who presses a key as soon as there is something to press it for is heard.
  now.current = isOn ? keys : NONE;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const found = now.current.find((key) => key.keys && isPressed(key.keys, event));
      if (!found || (!found.keys?.includes("mod+") && found.keys !== "escape" && isWriting(event))) return;
      event.preventDefault();
      found.run();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
}

function isPressed(keys: string, event: KeyboardEvent): boolean {
  const parts = keys.split("+");
  const key = parts.at(-1) ?? "";
  const mod = IS_APPLE ? event.metaKey : event.ctrlKey;
  // What needs shift to be typed at all, such as `?`, is taken as it comes.
  const shift = key.length > 1 || /[a-z]/.test(key) ? event.shiftKey === parts.includes("shift") : true;
  return event.key.toLowerCase() === key && mod === parts.includes("mod") && event.altKey === parts.includes("alt") && shift;
}

function isWriting(event: KeyboardEvent): boolean {
  const at = event.target as HTMLElement | null;
  return Boolean(at?.closest?.("input, textarea, select, [contenteditable], .terminal"));
}
