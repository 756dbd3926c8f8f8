// A unified diff, taken apart for showing: files, hunks, and which line stands opposite which.
import { diffWordsWithSpace, parsePatch } from "diff";

export interface Line {
  kind: "same" | "old" | "new";
  text: string;
  oldAt?: number;
  newAt?: number;
}

export interface Hunk {
  title: string;
  lines: Line[];
}

export interface FileDiff {
  path: string;
  from?: string;
  what: "changed" | "added" | "deleted" | "renamed" | "binary";
  added: number;
  removed: number;
  hunks: Hunk[];
}

/** A row of two columns. */
export type Pair = [Line | null, Line | null];

export function filesOf(diff: string): FileDiff[] {
  const pieces = diff.split(/^(?=diff --git )/m).filter((piece) => piece.trim());
  return pieces.flatMap((piece) => (piece.startsWith("diff --git ") ? [ofGit(piece)] : plain(piece)));
}

function ofGit(piece: string): FileDiff {
  const [file] = plain(piece.replace(/^diff --git .*$/m, "").replace(/^(new|deleted) file mode.*$|^index .*$|^(old|new) mode.*$/gm, ""));
  const names = /^diff --git "?a\/(.*?)"? "?b\/(.*?)"?$/m.exec(piece);
  const base = file ?? { path: names?.[2] ?? "", what: "changed", added: 0, removed: 0, hunks: [] };
  const from = /^rename from (.*)$/m.exec(piece)?.[1];
  if (/^Binary files|^GIT binary patch/m.test(piece)) return { ...base, path: names?.[2] ?? base.path, what: "binary" };
  if (from) return { ...base, path: names?.[2] ?? base.path, from, what: "renamed" };
  if (/^new file/m.test(piece)) return { ...base, what: "added" };
  if (/^deleted file/m.test(piece)) return { ...base, path: names?.[1] ?? base.path, what: "deleted" };
  return base;
}

function plain(text: string): FileDiff[] {
  try {
    return parsePatch(text).flatMap((patch) => (patch.hunks.length || patch.newFileName ? [fileOf(patch)] : []));
  } catch {
    return [];
  }
}

const bare = (name = "") => name.replace(/^[ab]\//, "").replace(/\t.*$/, "");
const isNothing = (name: string) => name === "/dev/null";

function fileOf(patch: ReturnType<typeof parsePatch>[number]): FileDiff {
  const [older, newer] = [bare(patch.oldFileName), bare(patch.newFileName)];
  const hunks = patch.hunks.map((hunk) => hunkOf(hunk));
  const count = (kind: Line["kind"]) => hunks.flatMap(({ lines }) => lines).filter((line) => line.kind === kind).length;
  const what = isNothing(older) ? "added" : isNothing(newer) ? "deleted" : "changed";
  return { path: isNothing(newer) ? older : newer, what, added: count("new"), removed: count("old"), hunks };
}

type RawHunk = ReturnType<typeof parsePatch>[number]["hunks"][number];

function hunkOf({ oldStart, oldLines, newStart, newLines, lines }: RawHunk): Hunk {
  let [oldAt, newAt] = [oldStart, newStart];
  const shown = lines.flatMap<Line>((line) => {
    const text = line.slice(1);
    if (line.startsWith("\\")) return [];
    if (line.startsWith("+")) return [{ kind: "new", text, newAt: newAt++ }];
    if (line.startsWith("-")) return [{ kind: "old", text, oldAt: oldAt++ }];
    return [{ kind: "same", text, oldAt: oldAt++, newAt: newAt++ }];
  });
  return { title: `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`, lines: shown };
}

/** Lines that were taken away stand opposite those that came in their place. */
export function pairsOf(lines: Line[]): Pair[] {
  const pairs: Pair[] = [];
  for (let at = 0; at < lines.length; ) {
    if (lines[at].kind === "same") {
      pairs.push([lines[at], lines[at]]);
      at++;
      continue;
    }
    const run = runAt(lines, at);
    const olds = run.filter((line) => line.kind === "old");
    const news = run.filter((line) => line.kind === "new");
    for (let row = 0; row < Math.max(olds.length, news.length); row++) pairs.push([olds[row] ?? null, news[row] ?? null]);
    at += run.length;
  }
  return pairs;
}

function runAt(lines: Line[], at: number): Line[] {
  const end = lines.findIndex((line, index) => index >= at && line.kind === "same");
  return lines.slice(at, end < 0 ? lines.length : end);
}

/** For each changed line that has one opposite: which of its pieces differ. */
export function marksOf(lines: Line[]): Map<Line, { text: string; marked: boolean }[]> {
  const marks = new Map<Line, { text: string; marked: boolean }[]>();
  for (const [older, newer] of pairsOf(lines)) {
    if (!older || !newer || older === newer || older.text.length + newer.text.length > 600) continue;
    const pieces = diffWordsWithSpace(older.text, newer.text);
    const same = pieces.filter((piece) => !piece.added && !piece.removed).reduce((sum, piece) => sum + piece.value.trim().length, 0);
    // Two lines that have little in common are two lines.
    if (same * 2 < Math.min(older.text.trim().length, newer.text.trim().length)) continue;
    marks.set(older, pieces.filter((piece) => !piece.added).map((piece) => ({ text: piece.value, marked: Boolean(piece.removed) })));
    marks.set(newer, pieces.filter((piece) => !piece.removed).map((piece) => ({ text: piece.value, marked: Boolean(piece.added) })));
  }
  return marks;
}
