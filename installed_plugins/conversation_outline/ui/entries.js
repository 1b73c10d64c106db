const HEADING = /^(#{1,3})\s+(.+?)\s*#*$/;
const FENCE = /^\s*(```|~~~)/;

/** What the outline lists: each question by its first line, and if wanted the headings of its answer under it. */
export function entriesOf(messages, headings) {
  const last = messages.at(-1);
  return messages.flatMap((message, index) => {
    const { id, role, text, attachments } = message;
    if (role === "user") {
      const answering = messages[index + 1] === last && ["waiting", "streaming"].includes(last.status);
      return [{ key: id, id, level: 0, text: firstLine(text) || fileNames(attachments), answering }];
    }
    if (!headings) return [];
    return headingsOf(text).map(({ level, title }, at) => ({ key: `${id}-${at}`, id, level, text: title, answering: false }));
  });
}

function firstLine(text) {
  return text.split("\n").map((line) => line.trim()).find(Boolean) ?? "";
}

function fileNames(attachments) {
  return attachments.map(({ name }) => name).join(", ") || "…";
}

/** The headings of Markdown, those inside code left out. */
export function headingsOf(text) {
  let inCode = false;
  const found = [];
  for (const line of text.split("\n")) {
    if (FENCE.test(line)) inCode = !inCode;
    const [, marks, title] = (!inCode && HEADING.exec(line)) || [];
    if (title) found.push({ level: marks.length, title: title.replace(/[*_`]/g, "") });
  }
  return found;
}
