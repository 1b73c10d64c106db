/** Times as people read them: how long ago, in English like the rest; exactly, in their own time zone and manner. */

const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const satisfies readonly (readonly [Intl.RelativeTimeFormatUnit, number])[];

const ENGLISH = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const NOW_S = 3;

/** "2 hours ago", "in 3 days", "just now". */
export function relativeTime(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (Math.abs(seconds) < NOW_S) return "just now";
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[5];
  return ENGLISH.format(Math.trunc(seconds / size), unit);
}

/** The moment itself, with the time zone. */
export function exactTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
}

/** The time of day, with the day when that is not today. */
export function clockTime(iso: string, now = new Date()): string {
  const date = new Date(iso);
  const today = date.toDateString() === now.toDateString();
  const timeStyle = "medium" as const;
  return date.toLocaleString(undefined, today ? { timeStyle } : { dateStyle: "medium", timeStyle });
}
