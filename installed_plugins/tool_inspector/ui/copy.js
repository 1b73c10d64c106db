import { createElement as h, useEffect, useState } from "react";

/** Copies text as it is, and anything else as JSON. */
export function CopyButton({ label, value }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async (event) => {
    event.preventDefault(); // in a summary, a click would also open it
    await write(typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? ""));
    setCopied(true);
  };
  return h(
    "button",
    { type: "button", className: "ti-copy", title: label, "aria-label": copied ? "Copied" : label, onClick: copy },
    copied ? "✓" : h(Icon),
  );
}

function Icon() {
  return h(
    "svg",
    { viewBox: "0 0 24 24", width: 14, height: 14, fill: "none", stroke: "currentColor", strokeWidth: 2, "aria-hidden": true },
    h("rect", { x: 9, y: 9, width: 12, height: 12, rx: 2 }),
    h("path", { d: "M5 15H4a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1h10a1 1 0 0 1 1 1v1" }),
  );
}

/** The clipboard interface exists only on secure origins; on a plain-http address there is the old way. */
async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.body.appendChild(document.createElement("textarea"));
  area.value = text;
  area.select();
  document.execCommand("copy");
  area.remove();
}
