// A diff: one column, or two side by side.
import { memo, useMemo, type ReactNode } from "react";
import { useKept } from "../kept";
import { Icon } from "../shell/icon";
import { filesOf, marksOf, pairsOf, type FileDiff, type Hunk, type Line } from "./patch";

type Layout = "one" | "two";

/** More lines than anybody reads at once are shown on demand. */
const FIRST = 400;

/** `bare`: what stands around it names the file already. */
export const Diff = memo(function Diff({ text, open = true, bare = false }: { text: string; open?: boolean; bare?: boolean }) {
  const files = useMemo(() => filesOf(text), [text]);
  const [layout, setLayout] = useKept<Layout>("diff", "one");
  if (files.length === 0) return text.trim() ? <pre className="output" tabIndex={0}>{text}</pre> : <p className="quiet pad">No difference.</p>;
  return (
    <div className="diff" data-layout={layout} data-bare={(bare && files.length === 1) || undefined}>
      <div className="diff-tools" role="group" aria-label="Layout of the diff">
        <button className="icon-button small" aria-pressed={layout === "one"} aria-label="In one column" title="In one column" onClick={() => setLayout("one")}>
          <Icon name="rows" size={14} />
        </button>
        <button className="icon-button small" aria-pressed={layout === "two"} aria-label="Side by side" title="Side by side" onClick={() => setLayout("two")}>
          <Icon name="columns" size={14} />
        </button>
      </div>
      {files.map((file) => (
        <File key={`${file.path} ${file.what}`} file={file} layout={layout} open={open} />
      ))}
    </div>
  );
});

const WHAT = { changed: "", added: "new", deleted: "deleted", renamed: "renamed", binary: "binary" };

function File({ file, layout, open }: { file: FileDiff; layout: Layout; open: boolean }) {
  const lines = file.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  return (
    <details className="diff-file" open={open && lines <= FIRST}>
      <summary>
        <Icon name="chevron" size={12} />
        <span className="path" title={file.path}>
          {file.from ? `${file.from} → ${file.path}` : file.path}
        </span>
        {WHAT[file.what] && <span className="tag">{WHAT[file.what]}</span>}
        <Counts added={file.added} removed={file.removed} />
      </summary>
      <div className="diff-body" tabIndex={0} role="region" aria-label={`Changes in ${file.path}`}>
        {file.hunks.map((hunk) => (
          <HunkRows key={hunk.title} hunk={hunk} layout={layout} />
        ))}
        {file.what === "binary" && <p className="quiet pad">Not a text.</p>}
      </div>
    </details>
  );
}

export function Counts({ added, removed }: { added: number; removed: number }) {
  return (
    <span className="counts" aria-label={`${added} lines added, ${removed} removed`}>
      {added > 0 && <b className="added">+{added}</b>}
      {removed > 0 && <b className="removed">−{removed}</b>}
    </span>
  );
}

function HunkRows({ hunk, layout }: { hunk: Hunk; layout: Layout }) {
  const marks = useMemo(() => marksOf(hunk.lines), [hunk]);
  const shown = (line: Line): ReactNode => {
    const pieces = marks.get(line);
    if (!pieces) return line.text || " ";
    return pieces.map((piece, at) => (piece.marked ? <mark key={at}>{piece.text}</mark> : piece.text));
  };
  return (
    <table className="hunk">
      {layout === "two" && (
        <colgroup>
          <col className="at" />
          <col />
          <col className="at" />
          <col />
        </colgroup>
      )}
      <tbody>
        <tr className="hunk-title">
          <td colSpan={layout === "one" ? 3 : 4}>{hunk.title}</td>
        </tr>
        {layout === "one" ? hunk.lines.map((line, at) => <One key={at} line={line} text={shown(line)} />) : pairsOf(hunk.lines).map(([older, newer], at) => <Two key={at} older={older} newer={newer} shown={shown} />)}
      </tbody>
    </table>
  );
}

const SIGN = { same: " ", old: "−", new: "+" };

function One({ line, text }: { line: Line; text: ReactNode }) {
  return (
    <tr className={line.kind}>
      <td className="at">{line.oldAt}</td>
      <td className="at">{line.newAt}</td>
      <td className="text">
        <span className="sign">{SIGN[line.kind]}</span>
        {text}
      </td>
    </tr>
  );
}

function Two({ older, newer, shown }: { older: Line | null; newer: Line | null; shown: (line: Line) => ReactNode }) {
  return (
    <tr>
      <td className={`at ${older?.kind ?? "none"}`}>{older?.oldAt}</td>
      <td className={`text ${older?.kind ?? "none"}`}>{older && shown(older)}</td>
      <td className={`at ${newer?.kind ?? "none"}`}>{newer?.newAt}</td>
      <td className={`text ${newer?.kind ?? "none"}`}>{newer && shown(newer)}</td>
    </tr>
  );
}
