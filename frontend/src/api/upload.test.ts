import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { problem } from "@/test/fakeStudio";
import { fakeUploads, theUpload } from "@/test/fakeUpload";
import { ApiError } from "./http";
import { upload } from "./upload";

const onProgress = vi.fn();
let abort: AbortController;

beforeEach(() => {
  fakeUploads();
  onProgress.mockReset();
  abort = new AbortController();
  // biome-ignore lint/suspicious/noDocumentCookie: the cookie is what is tested
  document.cookie = "csrftoken=t0ken";
});
afterEach(() => vi.unstubAllGlobals());

const start = () => upload<{ id: string }>("/api/x", new FormData(), { signal: abort.signal, onProgress });

test("it tells how far it is, and then what the server answered", async () => {
  const answer = start();
  theUpload().sent(50, 200);
  theUpload().answer({ status: 201, body: { id: "a" } });
  expect((await answer).data).toEqual({ id: "a" });
  expect(onProgress.mock.calls).toEqual([[0.25]]);
  expect(theUpload().headers["X-CSRFToken"]).toBe("t0ken");
});

test("what the server refuses is an error with its words", async () => {
  const answer = start();
  theUpload().answer(problem(422, "package_invalid", { hint: "Pack the folder." }));
  await expect(answer).rejects.toMatchObject({
    code: "package_invalid",
    message: "because package_invalid Pack the folder.",
  });
});

test("a server that is not there is told apart from one that refuses", async () => {
  const answer = start();
  theUpload().onerror?.();
  await expect(answer).rejects.toBeInstanceOf(ApiError);
  await expect(answer).rejects.toMatchObject({ code: "unreachable" });
});

test("it can be cancelled", async () => {
  const answer = start();
  abort.abort();
  await expect(answer).rejects.toMatchObject({ name: "AbortError" });
});
