import { ArrowDown } from "lucide-react";
import { type RefObject, useEffect, useRef, useState } from "react";
import { Overlay } from "@/app/overlay";
import { pluginManager } from "@/plugins/instance";
import { TurnView } from "./TurnView";
import type { Turn } from "./turns";

/** Follows the answer while the reader is at its end, and leaves a reader who scrolled up alone. */
export function Transcript({ turns }: { turns: readonly Turn[] }) {
  const { box, inner, away, toEnd, leave } = useFollow(turns.length);
  useReveal(inner, leave);
  const last = turns.at(-1);
  const busy = last?.role === "assistant" && ["waiting", "streaming"].includes(last.status);
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

const MARK_MS = 1_600;

/** Shows a message that a UI plugin or a search asks for. */
function useReveal(inner: RefObject<HTMLDivElement | null>, leave: () => void): void {
  const leaving = useRef(leave);
  leaving.current = leave;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const undo = pluginManager.host.transcript.on("reveal", (messageId) => {
      const found = inner.current?.querySelector<HTMLElement>(`[data-message-id="${CSS.escape(messageId)}"]`);
      if (!found) return;
      Overlay.close("sidebar");
      leaving.current();
      found.scrollIntoView({ block: "start" });
      for (const marked of inner.current?.querySelectorAll("[data-revealed]") ?? []) {
        marked.removeAttribute("data-revealed");
      }
      found.setAttribute("data-revealed", "");
      clearTimeout(timer);
      timer = setTimeout(() => found.removeAttribute("data-revealed"), MARK_MS);
    });
    return () => {
      undo();
      clearTimeout(timer);
    };
  }, [inner]);
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
  const leave = () => {
    following.current = false;
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
  return { box, inner, away, toEnd, leave };
}
