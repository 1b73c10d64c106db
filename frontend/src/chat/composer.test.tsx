import { fireEvent, screen } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import { fakeStudio, show } from "@/test/fakeStudio";
import { FakeUpload, fakeUploads, theUpload } from "@/test/fakeUpload";
import { Composer } from "./Composer";

beforeEach(() => {
  fakeStudio();
  fakeUploads();
  show(<Composer answering={false} disabled={false} onSend={() => undefined} onStop={() => undefined} />);
});

const paste = (text: string) =>
  fireEvent.paste(screen.getByLabelText("Message"), { clipboardData: { files: [], getData: () => text } });

test("a long text that is pasted becomes a file", async () => {
  expect(paste("word ".repeat(20_000))).toBe(false);
  const file = theUpload().form?.get("file") as File;
  expect([file.name, file.type, file.size]).toEqual(["pasted.txt", "text/plain", 100_000]);
  expect(screen.getByText("pasted.txt")).toBeTruthy();
});

test("any other text goes where the cursor is", () => {
  expect(paste("a line")).toBe(true);
  expect(FakeUpload.made).toEqual([]);
});
