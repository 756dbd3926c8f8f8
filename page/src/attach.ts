// Files as the chat takes them: pictures made small, texts and PDFs as they are, everything else refused by name.
import type { FileUIPart } from "ai";
import { picture } from "./picture";
import { size } from "./words";

/** How many there may be beside one message, and how long they may be together, as the socket sends them. */
const MOST = 6;
const LONGEST = 900_000;

/** Adds files to those that are there; what cannot be added is said. */
export async function attached(there: FileUIPart[], files: Iterable<File>): Promise<[FileUIPart[], string | null]> {
  const all = [...there];
  let refused: string | null = null;
  for (const file of files) {
    const made = await part(file).catch((error: unknown) => String(error instanceof Error ? error.message : error));
    const why = typeof made === "string" ? made : tooMuch(all, made);
    if (why) refused = `${file.name}: ${why}`;
    else if (typeof made !== "string") all.push(made);
  }
  return [all, refused];
}

function tooMuch(there: FileUIPart[], more: FileUIPart): string | null {
  if (there.length >= MOST) return `no more than ${MOST} files go beside one message.`;
  const sum = there.reduce((sum, file) => sum + file.url.length, more.url.length);
  return sum > LONGEST ? `too large to be sent with the message. Put it into the workspace, and say where it is.` : null;
}

async function part(file: File): Promise<FileUIPart | string> {
  const named = { type: "file" as const, filename: file.name };
  if (file.type.startsWith("image/")) {
    const url = await picture(file).catch(() => null);
    return url ? { ...named, mediaType: /^data:([^;]+)/.exec(url)?.[1] ?? file.type, url } : "this is no picture that can be read.";
  }
  if (file.size > LONGEST) return `${size(file.size)} are too large to be sent with a message. Put it into the workspace, and say where it is.`;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const isPdf = file.type === "application/pdf";
  if (!isPdf && !isText(bytes)) return "neither a picture, a text nor a PDF. Put it into the workspace, and say where it is.";
  // Whatever a text is of, it is read as a text.
  const mediaType = isPdf ? file.type : "text/plain";
  return { ...named, mediaType, url: `data:${mediaType};base64,${base64(bytes)}` };
}

function isText(bytes: Uint8Array): boolean {
  try {
    return !new TextDecoder("utf-8", { fatal: true }).decode(bytes).includes("\0");
  } catch {
    return false;
  }
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
