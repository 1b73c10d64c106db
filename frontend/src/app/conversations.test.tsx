/** The list of chats, and what is done to whole chats, against a studio at the boundary of HTTP. */
import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import type { Conversation } from "@/api/types";
import { aPlugin, type FakeStudio, fakeStudio, ok, page, press, problem, show } from "@/test/fakeStudio";
import { FakeUpload, fakeUploads, theUpload } from "@/test/fakeUpload";
import { ConversationList } from "./ConversationList";
import { hiddenConversations } from "./conversations";
import { DeletedDialog } from "./DeletedDialog";
import { ImportDialog } from "./ImportDialog";

const now = new Date().toISOString();
const chat = (id: string, title: string, more: Partial<Conversation> = {}): Conversation => ({
  id,
  title,
  created_at: now,
  updated_at: now,
  pinned: false,
  archived: false,
  ...more,
});

let studio: FakeStudio;
beforeEach(() => {
  studio = fakeStudio();
  hiddenConversations.set(new Set());
});

const list = (search = "", archived = false) =>
  show(<ConversationList search={search} archived={archived} />);
const choose = async (title: string, item: string) => {
  press(`More for ${title}`);
  await act(async () => fireEvent.click(screen.getByRole("menuitem", { name: item })));
};

test("pinned chats stand first, under their own heading", async () => {
  studio.shows["/api/conversations"] = page(chat("c1", "Pinned one", { pinned: true }), chat("c2", "Other"));
  list();
  const headings = (await screen.findAllByRole("heading")).map((heading) => heading.textContent);
  expect(headings).toEqual(["Pinned", "Today"]);
  expect(studio.read[0]).toContain("archived=false");
});

test("what was found shows where, and leads there", async () => {
  const excerpt = [
    { text: `${"long ".repeat(30)}and `, hit: false },
    { text: "Ingeborg", hit: true },
  ];
  const matches = [{ message_id: "m7", role: "user", excerpt }];
  studio.shows["/api/conversations"] = page(chat("c1", "Lighthouses", { matches }));
  list("ingeborg");
  const match = await screen.findByTestId("search-match");
  expect(match.querySelector("mark")?.textContent).toBe("Ingeborg");
  expect(match.textContent?.length).toBeLessThan(80);
  expect(match.getAttribute("href")).toBe("/c/c1?message=m7");
  expect(studio.read[0]).toContain("archived=all");
});

test("deleting happens at once, and Undo asks the server for it back", async () => {
  studio.shows["/api/conversations"] = page(chat("c1", "Old plans"));
  studio.replies["DELETE /api/conversations/c1"] = [{ status: 204 }];
  studio.replies["POST /api/conversations/c1/restore"] = [ok(chat("c1", "Old plans"))];
  list();
  await screen.findByText("Old plans");
  await choose("Old plans", "Delete");
  await screen.findByText("Deleted “Old plans”");
  expect(screen.queryByRole("link", { name: "Old plans" })).toBeNull();
  press("Undo");
  await screen.findByRole("link", { name: "Old plans" });
  expect(studio.asked.map(({ call }) => call)).toEqual([
    "DELETE /api/conversations/c1",
    "POST /api/conversations/c1/restore",
  ]);
});

test("a refusal is said, and the chat stays", async () => {
  studio.shows["/api/conversations"] = page(chat("c1", "Old plans"));
  studio.replies["PATCH /api/conversations/c1"] = [problem(503, "unavailable")];
  list();
  await screen.findByText("Old plans");
  await choose("Old plans", "Archive");
  await screen.findByText(/The chat stays where it was/);
  expect(screen.getByRole("link", { name: "Old plans" })).toBeTruthy();
});

test("deleted chats come back from their list", async () => {
  studio.shows["/api/conversations/deleted"] = page(chat("c1", "Old plans", { deleted_at: now }));
  studio.replies["POST /api/conversations/c1/restore"] = [ok(chat("c1", "Old plans"))];
  show(<DeletedDialog />);
  await screen.findByText("Old plans");
  press("Restore Old plans");
  await waitFor(() => expect(studio.asked).toHaveLength(1));
});

test("an import tells how far it is, what came in, and what did not", async () => {
  fakeUploads();
  show(<ImportDialog />);
  const file = new File(["[]"], "conversations.json");
  fireEvent.change(screen.getByLabelText("File to import"), { target: { files: [file] } });
  act(() => theUpload().sent(1, 4));
  expect(screen.getByRole("progressbar").getAttribute("value")).toBe("0.25");
  const report = {
    format: "chatgpt",
    imported: 1,
    skipped: 2,
    conversations: [{ id: "c9", title: "Lisbon" }],
    problems: [{ title: "Broken", detail: "It has no messages." }],
  };
  await act(async () => theUpload().answer(ok(report)));
  expect((await screen.findByTestId("import-report")).textContent).toContain("1 chat came in from ChatGPT");
  expect(screen.getByRole("link", { name: "Lisbon" }).getAttribute("href")).toBe("/c/c9");
  expect(screen.getByRole("region", { name: "Problems" }).textContent).toContain("It has no messages.");
});

test("a file that cannot be read is refused with the server's words", async () => {
  fakeUploads();
  show(<ImportDialog />);
  const file = new File(["?"], "x.json");
  fireEvent.change(screen.getByLabelText("File to import"), { target: { files: [file] } });
  await act(async () => theUpload().answer(problem(422, "import_unknown")));
  expect((await screen.findByRole("alert")).textContent).toContain("because import_unknown");
  expect(FakeUpload.made).toHaveLength(1);
});

test("an export is saved under its own name; one that fails says why and leaves the page", async () => {
  studio.plugins = [aPlugin({ id: "md", name: "Markdown", type: "export" })];
  studio.shows["/api/conversations"] = page(chat("c1", "One"));
  const saved: string[] = [];
  const clicked = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
    this: HTMLElement,
  ) {
    saved.push((this as HTMLAnchorElement).download);
  });
  list();
  await screen.findByText("One");
  press("More for One");
  fireEvent.click(await screen.findByRole("menuitem", { name: "Export as Markdown" }));
  expect(await screen.findByText(/The chat was not exported/)).toBeTruthy();
  expect(saved).toEqual([]);
  const headers = { "Content-Disposition": "attachment; filename*=utf-8''Caf%C3%A9.md" };
  vi.stubGlobal("fetch", async () => new Response("# Café", { headers }));
  await choose("One", "Export as Markdown");
  await waitFor(() => expect(saved).toEqual(["Café.md"]));
  clicked.mockRestore();
});
