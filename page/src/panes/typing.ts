// What is typed into a terminal goes to the agent in its order. While a piece is on its way, what comes meanwhile is gathered: a lent machine
// may ask somebody about each.

/** As much as goes at once, well below what the agent takes. */
const PIECE = 16 << 10;

/** Takes what is typed. What follows a piece that was not taken has lost its beginning, and is dropped with it. */
export function typing(send: (text: string) => Promise<unknown>): (text: string) => void {
  let waiting = "";
  let sending = false;
  const next = () => {
    const piece = waiting.slice(0, PIECE - (isHalf(waiting.charCodeAt(PIECE - 1)) ? 1 : 0));
    waiting = waiting.slice(piece.length);
    return piece;
  };
  const go = async () => {
    sending = true;
    try {
      while (waiting) await send(next());
    } catch {
      waiting = "";
    }
    sending = false;
  };
  return (text) => {
    waiting += text;
    if (!sending) void go();
  };
}

/** Whether the other half of a character comes after this one. */
const isHalf = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
