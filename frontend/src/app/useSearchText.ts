import { useEffect, useState } from "react";

const PAUSE_MS = 200;

/** What was typed, once the typing rests: every letter would be a search through all conversations. */
export function useSearchText(text: string): string {
  const wanted = text.trim();
  const [settled, setSettled] = useState(wanted);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(wanted), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  return wanted ? settled : "";
}
