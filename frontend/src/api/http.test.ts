import { afterEach, expect, test, vi } from "vitest";
import { ApiError, ask, get, whenSignedOut } from "./http";

function answer(status: number, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const fetched = vi.fn(
    async (_path: string, _init?: RequestInit) => new Response(text, { status, headers }),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

afterEach(() => {
  vi.unstubAllGlobals();
  whenSignedOut(() => undefined);
});

test("a change carries the CSRF token and JSON", async () => {
  vi.spyOn(document, "cookie", "get").mockReturnValue("a=1; csrftoken=tok%20en");
  const fetched = answer(200, { ok: true });
  await ask("/api/x", { method: "POST", body: { a: 1 } });
  expect(fetched.mock.calls[0]?.[1]).toMatchObject({
    method: "POST",
    body: '{"a":1}',
    headers: { "X-CSRFToken": "tok en", "Content-Type": "application/json" },
  });
});

test("a problem document becomes an error with its code, its words and its fields", async () => {
  const errors = [{ pointer: "/a", message: "bad" }];
  answer(422, {
    title: "Invalid",
    status: 422,
    detail: "One setting is wrong.",
    code: "config_invalid",
    errors,
  });
  const error = await get("/api/x").catch((caught: unknown) => caught as ApiError);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({
    code: "config_invalid",
    status: 422,
    message: "One setting is wrong.",
    fieldErrors: errors,
  });
});

test("an answer that is no problem document still says something", async () => {
  answer(502, "<html>Bad gateway</html>");
  await expect(get("/api/x")).rejects.toThrow("The studio answered 502 and gave no reason.");
});

test("a server that is not there is said to be not there", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await expect(get("/api/x")).rejects.toMatchObject({ code: "unreachable", status: 0 });
});

test("a 401 tells the page that nobody is signed in", async () => {
  const out = vi.fn();
  whenSignedOut(out);
  answer(401, { title: "Sign in", status: 401, code: "not_authenticated" });
  await expect(get("/api/x")).rejects.toThrow("Sign in");
  expect(out).toHaveBeenCalledOnce();
});

test("an empty answer is no value", async () => {
  vi.stubGlobal("fetch", async () => new Response(null, { status: 204 }));
  expect((await ask("/api/x", { method: "DELETE" })).data).toBeUndefined();
});
