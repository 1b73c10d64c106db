/** Blanks in a prompt: {{name}}, or {{name|what stands there at first}}. */
const BLANK = /\{\{\s*([^{}|\n]+?)\s*(?:\|([^{}\n]*))?\}\}/g;

/** Each blank once, in the order in which they come. */
export function blanksOf(text) {
  const found = new Map();
  for (const [, name, initial] of text.matchAll(BLANK)) {
    if (!found.get(name)) found.set(name, initial?.trim() ?? "");
  }
  return [...found].map(([name, initial]) => ({ name, initial }));
}

export function filled(text, values) {
  return text.replace(BLANK, (whole, name) => values[name] ?? whole);
}

export function matches(prompt, query) {
  const said = `${prompt.title} ${prompt.text}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => said.includes(word));
}
