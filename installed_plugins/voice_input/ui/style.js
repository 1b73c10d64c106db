/** The page's own colours; the second value is for a page that has none (a sandboxed frame). */
export const CSS = `
.voice { position: relative; display: inline-flex; align-items: center; }
.voice button { border: 0; background: none; color: inherit; font: inherit; cursor: pointer; }
.voice button:focus-visible { outline: 2px solid var(--accent, #5b4fe9); outline-offset: 1px; }
.voice-mic { display: grid; place-items: center; width: 34px; height: 34px; padding: 0; border-radius: 9px; color: var(--muted, #777) !important; }
.voice-mic:hover { background: var(--hover, #8882) !important; }
.voice-mic[data-status="unsupported"] { opacity: 0.55; }
.voice-mic[aria-pressed="true"] { background: var(--bad, #b3261e) !important; color: var(--surface, #fff) !important; animation: voice-pulse 1.4s ease-in-out infinite; }
.voice-language { padding: 4px 6px !important; border-radius: 7px; color: var(--muted, #777) !important; font-size: 12px !important; text-transform: uppercase; }
.voice-language:hover:not(:disabled) { background: var(--hover, #8882) !important; }
.voice-pop { position: absolute; z-index: 30; left: 0; bottom: calc(100% + 10px); width: max-content; max-width: min(420px, 80vw); padding: 10px 14px; border: 1px solid var(--line, #8884); border-radius: 12px; background: var(--surface, Canvas); box-shadow: var(--shadow-2, 0 8px 24px #0003); font-size: 14px; }
.voice-heard[data-waiting] { color: var(--muted, #777); }
.voice-trouble p { margin: 4px 0 10px; color: var(--muted, #777); }
.voice-trouble div { display: flex; gap: 8px; justify-content: flex-end; }
.voice-trouble button { padding: 4px 12px; border: 1px solid var(--line-strong, #8888); border-radius: 7px; }
.voice-trouble button:hover { background: var(--hover, #8882); }
.voice-list { display: grid; max-height: 300px; padding: 6px; overflow: auto; }
.voice-list button { padding: 6px 12px; border-radius: 7px; text-align: start; }
.voice-list button:hover { background: var(--hover, #8882); }
.voice-list button[aria-selected="true"] { background: var(--accent-soft, #eeecfd); color: var(--accent-text, inherit); }
@media (max-width: 520px) { .voice-pop { position: fixed; right: 12px; bottom: 116px; left: 12px; width: auto; max-width: none; } }
@keyframes voice-pulse { 50% { box-shadow: 0 0 0 6px color-mix(in srgb, var(--bad, #b3261e) 18%, transparent); } }
`;
