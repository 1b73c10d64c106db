// django-jsonform draws the configuration in the browser: its inputs get what it leaves out.
// Each gets its label, and no password manager fills one's own password into a plugin's secret.
(() => {
  "use strict";
  const tie = (row, number) => {
    const input = row.querySelector("input:not([type=hidden]), select, textarea");
    const label = row.querySelector("label, .rjf-label");
    if (!input || !label) return;
    if (!input.id) input.id = `plugin-setting-${number}`;
    if (label.htmlFor !== input.id && !label.contains(input)) label.htmlFor = input.id;
    if (input.type === "password") input.autocomplete = "new-password";
  };
  const tieAll = () => {
    let number = 0;
    for (const row of document.querySelectorAll(".rjf-form-row")) {
      number += 1;
      if (!row.querySelector(".rjf-form-row")) tie(row, number);
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector(".plugin-config");
    if (!form) return;
    tieAll();
    new MutationObserver(tieAll).observe(form, { childList: true, subtree: true });
  });
})();
