export function bytes(count: number | null | undefined): string {
  if (!count) return "–";
  const units = ["B", "KB", "MB", "GB"];
  const step = Math.min(Math.floor(Math.log(count) / Math.log(1024)), units.length - 1);
  return `${(count / 1024 ** step).toFixed(step > 1 ? 1 : 0)} ${units[step]}`;
}

export function seconds(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms >= 120_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

/** US dollars; small sums with as many digits as tell them apart. */
export function money(usd: number): string {
  if (usd === 0) return "$0";
  if (usd < 0.0001) return "< $0.0001";
  return `$${usd < 0.1 ? Number(usd.toPrecision(2)) : usd.toFixed(2)}`;
}

export function whole(count: number): string {
  return count.toLocaleString();
}

/** For a list of conversations: which heading a time belongs under. */
export function dayLabel(iso: string, now = new Date()): string {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const at = new Date(iso).getTime();
  const day = 86_400_000;
  if (Number.isNaN(at) || at >= midnight) return "Today";
  if (at >= midnight - day) return "Yesterday";
  if (at >= midnight - 7 * day) return "Previous 7 days";
  return at >= midnight - 30 * day ? "Previous 30 days" : "Older";
}
