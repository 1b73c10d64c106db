import { ArrowDown } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { TurnView } from "./TurnView";
import type { Turn } from "./turns";

interface TranscriptProps {
  readonly turns: readonly Turn[];
  readonly onRetry: (() => void) | undefined;
}

/** Follows the answer while the reader is at its end, and leaves a reader who scrolled up alone. */
export function Transcript({ turns, onRetry }: TranscriptProps) {
  const { box, inner, away, toEnd } = useFollow(turns.length);
  const last = turns.length - 1;
  const streaming = turns.at(-1);
  const busy = streaming?.role === "assistant" && ["waiting", "streaming"].includes(streaming.status);
  return (
    <div className="transcript-wrap">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="transcript" ref={box} tabIndex={0} role="log" aria-label="Messages" aria-busy={busy}>
        <div className="transcript-inner" ref={inner}>
          {turns.map((turn, index) => (
            <TurnView
              // biome-ignore lint/suspicious/noArrayIndexKey: an id changes when the server gives its own; the place stays
              key={`${index}-${turn.role}`}
              turn={turn}
              onRetry={index === last ? onRetry : undefined}
            />
          ))}
        </div>
      </div>
      {away && (
        <button type="button" className="to-end" aria-label="Go to the end" onClick={toEnd}>
          <ArrowDown size={17} />
        </button>
      )}
    </div>
  );
}

const NEAR_PX = 60;

function useFollow(turnCount: number) {
  const box = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [away, setAway] = useState(false);
  const toEnd = () => {
    following.current = true;
    box.current?.scrollTo({ top: box.current.scrollHeight });
  };
  useEffect(() => {
    const [outer, content] = [box.current, inner.current];
    if (!outer || !content) return;
    let top = 0;
    const onScroll = () => {
      const near = outer.scrollHeight - outer.scrollTop - outer.clientHeight < NEAR_PX;
      // Only the reader scrolls up; content that grows under a still reader is not leaving the end.
      if (near) following.current = true;
      else if (outer.scrollTop < top) following.current = false;
      top = outer.scrollTop;
      setAway(!near && !following.current);
    };
    const grown = new ResizeObserver(() => {
      if (following.current) outer.scrollTop = outer.scrollHeight;
    });
    grown.observe(content);
    grown.observe(outer);
    outer.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      grown.disconnect();
      outer.removeEventListener("scroll", onScroll);
    };
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new message brings its writer to the end
  useEffect(() => {
    following.current = true;
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [turnCount]);
  return { box, inner, away, toEnd };
}
