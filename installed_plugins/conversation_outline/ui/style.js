/** The page's own colours; the second value is for a page that has none (a sandboxed frame). */
export const CSS = `
.outline-plugin { min-width: 0; font-size: 13.5px; }
.outline-plugin summary { display: flex; align-items: center; gap: 6px; padding: 4px 6px; border-radius: 7px; color: var(--muted, #777); font-size: 12.5px; font-weight: 600; cursor: pointer; list-style: none; }
.outline-plugin summary::-webkit-details-marker { display: none; }
.outline-plugin summary::before { content: ""; border: 4px solid transparent; border-left: 5px solid; border-right: 0; margin: 0 3px 0 4px; transition: transform 0.12s; }
.outline-plugin[open] summary::before { transform: rotate(90deg); }
.outline-plugin summary span { flex: 1; }
.outline-plugin summary:hover { background: var(--hover, #8882); }
.outline-plugin small { font-weight: 400; }
.outline-plugin input { width: 100%; min-height: 32px; margin: 4px 0; padding: 3px 9px; border: 1px solid var(--line, #8884); border-radius: 7px; background: var(--surface, transparent); color: inherit; font: inherit; }
.outline-plugin ol { max-height: 26vh; margin: 0; padding: 0; overflow: auto; list-style: none; }
.outline-plugin li button { display: block; width: 100%; padding: 4px 8px; border: 0; border-left: 2px solid var(--line, #8884); background: none; color: var(--text, inherit); font: inherit; text-align: left; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; cursor: pointer; }
.outline-plugin li button:hover, .outline-plugin li button:focus-visible { border-left-color: var(--accent, #5b4fe9); background: var(--hover, #8882); outline: none; }
.outline-plugin li button[data-level="1"], .outline-plugin li button[data-level="2"], .outline-plugin li button[data-level="3"] { padding-left: 20px; color: var(--muted, #777); font-size: 12.5px; }
.outline-plugin li button[data-level="2"] { padding-left: 28px; }
.outline-plugin li button[data-level="3"] { padding-left: 36px; }
.outline-plugin li button[data-answering] { border-left-color: var(--accent, #5b4fe9); }
.outline-plugin p { margin: 0; padding: 4px 8px; color: var(--muted, #777); }
@media (hover: none) { .outline-plugin li button { padding-block: 8px; } }
`;
