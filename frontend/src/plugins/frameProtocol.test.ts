import { expect, test } from "vitest";
import { aMessage, asked } from "@/test/bundled";
import { applyChanges, frameDocument, messageChanges } from "./frameProtocol";

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

test("a frame is told only what is new of a conversation, and has all of it", () => {
  const [one, two] = [asked("u1", "One?"), aMessage({ id: "a1", text: "1" })];
  const longer = { ...two, text: "1, and more" };
  const changes = messageChanges([one, two], [one, longer, asked("u2", "Two?")]);
  expect(changes).toMatchObject({ ids: ["u1", "a1", "u2"], changed: [longer, { id: "u2" }] });
  const heard = applyChanges([one, two], JSON.parse(JSON.stringify(changes)));
  expect(heard.map(({ text }) => text)).toEqual(["One?", "1, and more", "Two?"]);
  expect(heard[0]).toBe(one);
});

test("another branch takes away what is not on it", () => {
  const [one, two, other] = [asked("u1", "One?"), aMessage({ id: "a1" }), aMessage({ id: "a2" })];
  expect(applyChanges([one, two], messageChanges([one, two], [one, other])).map(({ id }) => id)).toEqual([
    "u1",
    "a2",
  ]);
});
