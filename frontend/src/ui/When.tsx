import { useEffect, useState } from "react";
import { clockTime, exactTime, relativeTime } from "./time";

const MINUTE_MS = 60_000;

/** A moment: how long ago (and it keeps counting), exactly when one points at it. */
export function When({ at, as = "ago" }: { at: string; as?: "ago" | "clock" }) {
  const now = useNow(Math.abs(Date.now() - Date.parse(at)) < MINUTE_MS ? 1_000 : MINUTE_MS / 2);
  return (
    <time dateTime={at} title={exactTime(at)}>
      {as === "clock" ? clockTime(at) : relativeTime(at, now)}
    </time>
  );
}

function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
