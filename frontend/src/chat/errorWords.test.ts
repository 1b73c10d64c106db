import { expect, test } from "vitest";
import { errorWords } from "./errorWords";

test("who chats reads of models and providers, not of plugins and classes", () => {
  const error = {
    code: "auth_failed",
    title: "The plugin's upstream refused its credentials",
    detail: "AuthFailed: https://api.example.org answered 401: no such key",
  };
  expect(errorWords(error)).toEqual({
    title: "The model's provider refused the key",
    detail: "https://api.example.org answered 401: no such key",
  });
});

test("any other error says what the server said, and nothing twice", () => {
  expect(errorWords({ code: "x", title: "It broke", detail: "It broke" })).toEqual({ title: "It broke" });
  expect(errorWords({ code: "x", title: "It broke", detail: "Oh: why" }).detail).toBe("Oh: why");
});
