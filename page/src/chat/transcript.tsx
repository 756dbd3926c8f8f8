// All messages, and staying at their end while they grow.
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { Icon } from "../shell/icon";

/** Whether there is talk to stay at the end of: what stands for an empty one is read from its beginning. */
const hasTalk = (box: HTMLElement | null) => box?.querySelector(".message") !== null;

/** How near the end still counts as being there. */
const NEAR = 80;

export function Transcript({ mark, children }: { mark: unknown; children: ReactNode }) {
  const at = useRef<HTMLDivElement>(null);
  const isThere = useRef(true);
  const [isAway, setAway] = useState(false);

  const toEnd = useCallback((behavior: ScrollBehavior) => at.current?.scrollTo({ top: at.current.scrollHeight, behavior }), []);
  useLayoutEffect(() => {
    if (isThere.current && hasTalk(at.current)) toEnd("instant");
  }, [mark, toEnd]);
  useEffect(() => {
    const grown = new ResizeObserver(() => isThere.current && hasTalk(at.current) && toEnd("instant"));
    if (at.current?.firstElementChild) grown.observe(at.current.firstElementChild);
    if (at.current) grown.observe(at.current);
    return () => grown.disconnect();
  }, [toEnd]);

  const scrolled = () => {
    const box = at.current;
    if (!box) return;
    isThere.current = !hasTalk(box) || box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    setAway(!isThere.current);
  };
  return (
    <div className="transcript-frame">
      <div className="transcript" ref={at} onScroll={scrolled} tabIndex={-1}>
        <div className="column" role="log" aria-label="Conversation" aria-live="off">
          {children}
        </div>
      </div>
      {isAway && (
        <button className="to-end" onClick={() => toEnd("smooth")} aria-label="Go to the latest message">
          <Icon name="arrow-down" />
        </button>
      )}
    </div>
  );
}
