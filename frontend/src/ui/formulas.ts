/*
 * Models write formulas as LaTeX does, \( \) and \[ \], or between dollars; Markdown knows only dollars, and would
 * take two prices for a formula. So everything becomes double dollars, by pandoc's rule for single ones.
 */
const TOKEN = new RegExp(
  [
    String.raw`(?<code>^[ \t>]*(?<fence>${"`{3,}"}|~{3,})[\s\S]*?(?:^[ \t>]*\k<fence>|$(?![\s\S]))|(?<tick>${"`+"})(?!${"`"})[\s\S]*?(?<!${"`"})\k<tick>(?!${"`"}))`,
    String.raw`^(?<indent>[ \t]*)(?:\$\$(?<dollars>[^$]+?)\$\$|\\\[(?<brackets>[\s\S]+?)\\\])[ \t]*$`,
    String.raw`\$\$(?<wide>[^$]+?)\$\$|\\\[(?<open>[^\n]+?)\\\]`,
    String.raw`\\\((?<round>[^\n]+?)\\\)`,
    String.raw`(?<escaped>\\[\s\S])`,
    String.raw`(?<![\w$])\$(?<single>[^\s$](?:[^$\n]*[^\s$\\])?)\$(?![\w$])`,
  ].join("|"),
  "gm",
);

/** Whether `text` may hold a formula: what sets formulas is only fetched then. */
export function mayHoldFormulas(text: string): boolean {
  return /\$|\\[([]/.test(text);
}

/** `text` with all its formulas between double dollars, those that stand alone on lines of their own. */
export function withDollars(text: string): string {
  return text.replace(TOKEN, (...match) => {
    const found = match.at(-1) as Record<string, string | undefined>;
    const { indent = "", code, escaped } = found;
    if (code !== undefined || escaped !== undefined) return match[0] as string;
    const block = found.dollars ?? found.brackets;
    if (block !== undefined) return [`${indent}$$`, ...lines(block, indent), `${indent}$$`].join("\n");
    const wide = found.wide ?? found.open;
    if (wide !== undefined) return `$$\\displaystyle ${wide.trim()}$$`;
    return `$$${(found.round ?? found.single ?? "").trim()}$$`;
  });
}

function lines(latex: string, indent: string): string[] {
  const written = latex.split("\n").map((line) => line.trim());
  return written.filter((line) => line !== "").map((line) => indent + line);
}
