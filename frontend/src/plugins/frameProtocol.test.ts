import { expect, test } from "vitest";
import { frameDocument } from "./frameProtocol";

const SDK = {
  react: "/static/sdk/react.js",
  "@/plugins/pluginSystem": "/static/sdk/pluginSystem.js",
  "studio/frame": "/static/sdk/frame.js",
};
const page = frameDocument("http://studio.test", SDK, { theme: "dark", fill: false });

test("the frame may run the studio's SDK and the plugin's text, and reach nothing", () => {
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? "";
  expect(policy.split("; ")).toEqual([
    "default-src 'none'",
    "script-src http://studio.test blob: 'unsafe-inline'",
    "style-src 'unsafe-inline'",
    "img-src data: blob:",
  ]);
});

test("its addresses are absolute, since it has none of its own", () => {
  expect(page).toContain('"react":"http://studio.test/static/sdk/react.js"');
  expect(page).toContain('<script type="module" src="http://studio.test/static/sdk/frame.js">');
  expect(page).not.toContain("studio/frame");
});
