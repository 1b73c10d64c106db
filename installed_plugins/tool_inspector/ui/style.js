/** The page's own colours; the second value is for a page that has none (a sandboxed frame). */
export const CSS = `
.tool-inspector { display: grid; gap: 10px; font-size: 13px; min-width: 0; }
.tool-inspector header, .tool-inspector h3 { display: flex; align-items: center; justify-content: space-between; }
.tool-inspector h2 { margin: 0; font-size: 15px; }
.tool-inspector h3 { margin: 0; font-size: 12px; font-weight: 600; color: var(--muted, #777); }
.tool-inspector button { font: inherit; color: inherit; border: 0; background: none; cursor: pointer; text-align: left; }
.tool-inspector button:focus-visible, .ti-call summary:focus-visible { outline: 2px solid var(--accent, #5b4fe9); outline-offset: 1px; }
.ti-none, .ti-summary { margin: 0; color: var(--muted, #777); }
.ti-summary { display: flex; justify-content: space-between; align-items: center; gap: 8px; }
.ti-summary button { padding: 2px 10px; border-radius: 99px; background: var(--bad-soft, #fdecea); color: var(--bad, #b3261e); }
.ti-summary button[aria-pressed="true"] { outline: 1px solid currentColor; }
.ti-round { display: grid; gap: 6px; min-width: 0; }
.tool-inspector .ti-question { overflow: hidden; padding: 4px 2px 0; color: var(--muted, #777); text-overflow: ellipsis; white-space: nowrap; }
.ti-question:hover { color: var(--text, inherit); text-decoration: underline; }
.ti-call { border: 1px solid var(--line, #8884); border-radius: 9px; background: var(--surface, transparent); min-width: 0; }
.ti-call summary { display: flex; align-items: center; gap: 8px; min-height: 36px; padding: 4px 10px; border-radius: 9px; cursor: pointer; list-style: none; }
.ti-call summary::-webkit-details-marker { display: none; }
.ti-call summary:hover { background: var(--hover, #8881); }
.ti-dot { flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--good, #14733f); }
[data-status="failed"] > summary .ti-dot { background: var(--bad, #b3261e); }
[data-status="running"] > summary .ti-dot { background: var(--accent, #5b4fe9); }
[data-status="approval"] > summary .ti-dot { background: var(--warn, #8a5300); }
.ti-name { flex: 1; min-width: 0; overflow: hidden; color: var(--muted, #777); text-overflow: ellipsis; white-space: nowrap; }
.ti-name b { color: var(--text, inherit); font-weight: 550; }
.ti-time { color: var(--muted, #777); font-variant-numeric: tabular-nums; white-space: nowrap; }
.ti-body { display: grid; gap: 8px; padding: 2px 10px 8px; border-top: 1px solid var(--line, #8884); }
.ti-part { min-width: 0; }
.ti-part:first-child { margin-top: 4px; }
.ti-tree { max-height: 340px; padding: 6px 8px; border-radius: 6px; background: var(--code-bg, #8881); overflow: auto; font: 12px/1.6 var(--mono, monospace); overflow-wrap: anywhere; }
.ti-bad .ti-tree { background: var(--bad-soft, #fdecea); }
.ti-tree ul { margin: 0; padding: 0; list-style: none; }
.ti-tree ul ul { margin-left: 6px; padding-left: 10px; border-left: 1px solid var(--line, #8884); }
.ti-tree li { white-space: pre-wrap; }
.ti-fold { padding: 0; border-radius: 4px; }
.ti-arrow { display: inline-block; width: 14px; color: var(--muted, #777); }
[aria-expanded="true"] > .ti-arrow { transform: rotate(90deg) translateX(2px); }
.ti-key { margin-right: 6px; color: var(--hl-title, inherit); }
.ti-string { color: var(--hl-string, inherit); }
.ti-number { color: var(--hl-number, inherit); }
.ti-boolean, .ti-object { color: var(--hl-keyword, inherit); }
.ti-faint { color: var(--muted, #777); }
.tool-inspector .ti-more { margin-left: 6px; padding: 0 6px; border-radius: 4px; background: var(--hover, #8882); color: var(--accent-text, inherit); }
.tool-inspector .ti-copy { display: inline-grid; place-items: center; width: 26px; height: 24px; padding: 0; border-radius: 6px; color: var(--muted, #777); vertical-align: middle; }
.ti-copy:hover { background: var(--hover, #8882); }
.ti-tree .ti-copy { height: 18px; opacity: 0; }
.ti-tree li:hover > .ti-copy, .ti-tree .ti-copy:focus-visible { opacity: 1; }
.ti-id { display: flex; align-items: center; justify-content: space-between; margin: 0; color: var(--faint, #777); font: 11.5px var(--mono, monospace); overflow-wrap: anywhere; }
`;
