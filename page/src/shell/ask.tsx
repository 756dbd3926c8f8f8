// A short question, or a notice with something to do about it, above the field where people write.

export interface Notice {
  text: string;
  yes?: string;
  danger?: boolean;
  act?: () => void;
}

export function Ask({ notice: { text, yes, danger, act }, done }: { notice: Notice; done: () => void }) {
  return (
    <div className="ask" role={danger ? "alertdialog" : "status"} aria-label={text} onKeyDown={(event) => event.key === "Escape" && (event.stopPropagation(), done())}>
      <p>{text}</p>
      {yes && (
        <button className={`button ${danger ? "danger" : ""}`} autoFocus={danger} onClick={() => (act?.(), done())}>
          {yes}
        </button>
      )}
      <button className="button plain" onClick={done}>
        {danger ? "Keep" : "Close"}
      </button>
    </div>
  );
}
