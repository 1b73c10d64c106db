// Runs before the first paint, so that a stored theme does not flash. The rest is src/ui/theme.ts.
(() => {
  let stored = null;
  try {
    stored = localStorage.getItem("studio-theme");
  } catch {}
  const dark = stored ? stored === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
