/** The page's own colours; the second value is for a page that has none (a sandboxed frame). */
export const CSS = `
.prompts-plugin { position: relative; min-width: 0; font-size: 13.5px; }
.prompts-plugin button { border: 0; background: none; color: inherit; font: inherit; cursor: pointer; }
.prompts-plugin button:focus-visible { outline: 2px solid var(--accent, #5b4fe9); outline-offset: 1px; }
.prompts-plugin button:disabled { opacity: 0.45; cursor: default; }
.prompts-plugin input[type="search"], .prompts-dialog input, .prompts-dialog textarea { width: 100%; padding: 7px 10px; border: 1px solid var(--line-strong, #8888); border-radius: 8px; background: var(--surface, transparent); color: var(--text, inherit); font: inherit; }
.prompts-plugin p { margin: 0; padding: 6px 8px; color: var(--muted, #777); }
.prompts-plugin p button, .prompts-plugin footer button { color: var(--accent-text, #4a3fd4); font-weight: 550; }
.prompts-plugin em { margin-left: 8px; padding: 0 6px; border-radius: 99px; background: var(--hover, #8882); color: var(--muted, #777); font-size: 11px; font-style: normal; font-weight: 400; }
.prompts-open { display: grid; place-items: center; width: 34px; height: 34px; padding: 0; border-radius: 9px; color: var(--muted, #777) !important; }
.prompts-open:hover, .prompts-open[aria-expanded="true"] { background: var(--hover, #8882) !important; }
.prompts-pop { position: absolute; z-index: 30; left: 0; bottom: calc(100% + 10px); width: min(420px, calc(100vw - 48px)); padding: 8px; border: 1px solid var(--line, #8884); border-radius: 14px; background: var(--surface, Canvas); box-shadow: var(--shadow-2, 0 8px 24px #0003); }
.prompts-list { max-height: min(320px, 45vh); margin: 6px 0; overflow: auto; }
.prompts-list [role="option"] { display: grid; padding: 7px 10px; border-radius: 8px; cursor: pointer; }
.prompts-list [role="option"][aria-selected="true"] { background: var(--accent-soft, #eeecfd); }
.prompts-list strong { font-weight: 550; }
.prompts-list [role="option"] > span { overflow: hidden; color: var(--muted, #777); font-size: 12.5px; text-overflow: ellipsis; white-space: nowrap; }
.prompts-pop footer { display: flex; justify-content: space-between; gap: 8px; padding: 6px 6px 2px; border-top: 1px solid var(--line, #8884); }
.prompts-pop footer button, .prompts-tools button { display: inline-flex; align-items: center; gap: 5px; padding: 4px 6px; border-radius: 7px; }
.prompts-pop footer button:hover, .prompts-tools button:hover:not(:disabled) { background: var(--hover, #8882); }
.prompts-side summary { display: flex; align-items: center; gap: 6px; padding: 4px 6px; border-radius: 7px; color: var(--muted, #777); font-size: 12.5px; font-weight: 600; cursor: pointer; list-style: none; }
.prompts-side summary::-webkit-details-marker { display: none; }
.prompts-side summary::before { content: ""; border: 4px solid transparent; border-left: 5px solid; border-right: 0; margin: 0 3px 0 4px; transition: transform 0.12s; }
.prompts-side[open] summary::before { transform: rotate(90deg); }
.prompts-side summary span { flex: 1; }
.prompts-side summary:hover { background: var(--hover, #8882); }
.prompts-side small { font-weight: 400; }
.prompts-tools { display: flex; gap: 2px; padding: 2px 2px 4px; color: var(--muted, #777); font-size: 12.5px; }
.prompts-side ul { max-height: 26vh; margin: 0; padding: 0; overflow: auto; list-style: none; }
.prompts-side li { display: flex; align-items: center; border-radius: 7px; }
.prompts-side li:hover, .prompts-side li:focus-within { background: var(--hover, #8882); }
.prompts-row { flex: 1; min-width: 0; padding: 5px 8px; overflow: hidden; text-align: left; text-overflow: ellipsis; white-space: nowrap; }
.prompts-side li em { margin-right: 6px; }
.prompts-icon { display: grid; place-items: center; width: 28px; height: 28px; padding: 0; border-radius: 7px; color: var(--muted, #777) !important; opacity: 0; }
.prompts-side li:hover .prompts-icon, .prompts-side li:focus-within .prompts-icon { opacity: 1; }
@media (max-width: 520px) { .prompts-pop { position: fixed; right: 12px; bottom: 116px; left: 12px; width: auto; } }
@media (hover: none) { .prompts-icon { opacity: 0.8; } .prompts-row { padding-block: 9px; } }
.prompts-dialog { width: min(520px, calc(100vw - 32px)); padding: 20px 22px; border: 1px solid var(--line, #8884); border-radius: 18px; background: var(--surface, Canvas); color: var(--text, CanvasText); box-shadow: var(--shadow-2, 0 8px 24px #0003); }
.prompts-dialog form { display: grid; gap: 12px; }
.prompts-dialog h2 { margin: 0; font-size: 1.1rem; }
.prompts-dialog label { display: grid; gap: 4px; font-size: 13px; font-weight: 600; color: var(--muted, #777); }
.prompts-dialog input, .prompts-dialog textarea { font-weight: 400; font-size: 15px; resize: vertical; }
.prompts-dialog footer { display: flex; justify-content: flex-end; gap: 10px; }
.prompts-dialog footer button { min-height: 36px; padding: 6px 14px; border: 1px solid var(--line-strong, #8888); border-radius: 7px; background: none; color: var(--text, inherit); font: inherit; cursor: pointer; }
.prompts-dialog footer .prompts-main { border-color: transparent; background: var(--accent, #5b4fe9); color: var(--on-accent, #fff); }
.prompts-dialog p { margin: 0; color: var(--muted, #777); font-size: 13.5px; }
.prompts-dialog::backdrop { background: var(--scrim, #0006); }
.prompts-dialog .prompts-preview { max-height: 160px; padding: 10px 12px !important; border-radius: 8px; background: var(--code-bg, #8881); overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.prompts-plugin .prompts-problem, .prompts-dialog .prompts-problem { color: var(--bad, #b3261e); }
`;
