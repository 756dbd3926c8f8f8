// What a terminal's output looks like without a terminal: colours gone, overwritten lines as they were left.

// eslint-disable-next-line no-control-regex
const SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

export function plain(text: string): string {
  if (!/[\u001b\r]/.test(text)) return text;
  const lines = text.replace(SEQUENCES, "").replace(/\r\n/g, "\n").split("\n");
  return lines.map((line) => line.slice(line.lastIndexOf("\r", line.length - 2) + 1).replace(/\r$/, "")).join("\n");
}
