// A layer over the page, with the browser's own dialog: focus stays inside, Esc closes, focus goes back.
import { useEffect, useRef, type ReactNode } from "react";

export function Dialog({ label, className, close, children }: { label: string; className: string; close: () => void; children: ReactNode }) {
  const at = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = at.current;
    if (dialog && !dialog.open) dialog.showModal();
    // Browsers put the focus on the first thing that can have it: fine for a field, odd for the button that closes.
    if (!dialog?.querySelector("input[role=combobox]")) dialog?.focus();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={at}
      tabIndex={-1}
      className={`dialog ${className}`}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      // Esc closes this, and stops nothing that lies under it.
      onKeyDown={(event) => event.key === "Escape" && event.stopPropagation()}
      onClick={(event) => event.target === at.current && close()}
    >
      {children}
    </dialog>
  );
}
