import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { pageAt } from "@/app/routes";
import {
  click,
  type FakeStudio,
  fakeStudio,
  MEMBER,
  OPERATOR,
  ok,
  page,
  press,
  problem,
  show,
} from "@/test/fakeStudio";

const at = new Date().toISOString();
const hook = {
  id: "w1",
  name: "Bot",
  url: "https://x.org/in",
  events: [],
  plugins: [],
  enabled: true,
  failures: 0,
  disabled_reason: "",
  disabled_at: null,
  last_success_at: null,
  created_at: at,
};
const attempt = { at, status: 200, duration_ms: 40, error: "", answer: "ok" };
const delivered = {
  id: "m1",
  type: "plugin_loaded",
  status: "delivered",
  attempts: [attempt],
  next_attempt_at: null,
  created_at: at,
  finished_at: at,
};
let studio: FakeStudio;

beforeEach(() => {
  studio = fakeStudio();
  studio.shows["/api/webhooks"] = page(hook);
  studio.shows["/api/webhooks/w1"] = ok(hook);
  studio.shows["/api/webhooks/w1/deliveries"] = page(delivered);
});
afterEach(() => vi.unstubAllGlobals());

function openDetails(details: HTMLElement) {
  details.setAttribute("open", "");
  fireEvent(details, new Event("toggle"));
}

const open = (path: string, person = OPERATOR) => show(pageAt(path, person));

test("an empty list explains what a webhook is", async () => {
  studio.shows["/api/webhooks"] = page();
  open("/webhooks");
  expect(await screen.findByText(/signed by the Standard Webhooks specification/)).toBeTruthy();
});

test("a member is told that this is not for him, and nothing is asked", () => {
  open("/webhooks", MEMBER);
  expect(screen.getByText("This page is for operators")).toBeTruthy();
  expect(studio.read).toEqual([]);
});

test("a new one shows its secret, once", async () => {
  open("/webhooks");
  click("webhook-add");
  click("webhook-save");
  expect(within(screen.getByTestId("field-url")).getByRole("alert").textContent).toBe("This is needed.");
  fireEvent.change(screen.getByLabelText(/Name/), { target: { value: "Bot" } });
  fireEvent.change(screen.getByLabelText(/Address/), { target: { value: "https://x.org/in" } });
  fireEvent.click(screen.getByLabelText("plugin_crashed"));
  studio.replies["POST /api/webhooks"] = [{ status: 201, body: { ...hook, secret: "whsec_abc" } }];
  click("webhook-save");
  expect((await screen.findByTestId("webhook-secret")).textContent).toBe("whsec_abc");
  expect(studio.asked[0]?.body).toEqual({
    name: "Bot",
    url: "https://x.org/in",
    events: ["plugin_crashed"],
    plugins: [],
  });
  press("I have copied it");
  expect(screen.queryByText("whsec_abc")).toBeNull();
});

test("an address that the studio may not call is told at its field", async () => {
  open("/webhooks");
  click("webhook-add");
  fireEvent.change(screen.getByLabelText(/Name/), { target: { value: "Bot" } });
  fireEvent.change(screen.getByLabelText(/Address/), { target: { value: "http://10.0.0.1" } });
  studio.replies["POST /api/webhooks"] = [problem(422, "address_refused", { hint: "Allow it." })];
  click("webhook-save");
  const field = within(screen.getByTestId("field-url"));
  expect((await field.findByRole("alert")).textContent).toBe("because address_refused Allow it.");
});

test("a test message says what the receiver made of it", async () => {
  open("/webhooks");
  const failed = {
    ...delivered,
    status: "failed",
    attempts: [{ ...attempt, status: null, error: "refused" }],
  };
  studio.replies["POST /api/webhooks/w1/test"] = [ok(delivered), ok(failed)];
  fireEvent.click(await screen.findByRole("button", { name: "Send a test message to Bot" }));
  expect(await screen.findByText("Bot took the test message (status 200, 40 ms).")).toBeTruthy();
  press("Send a test message to Bot");
  expect(await screen.findByText("Bot did not take the test message: refused")).toBeTruthy();
});

test("one is switched off and on", async () => {
  open("/webhooks");
  studio.replies["PATCH /api/webhooks/w1"] = [ok({ ...hook, enabled: false })];
  studio.shows["/api/webhooks"] = page({ ...hook, enabled: false });
  fireEvent.click(await screen.findByRole("switch", { name: "Bot is enabled" }));
  await screen.findByText("Bot is disabled.");
  expect(studio.asked[0]?.body).toEqual({ enabled: false });
  await waitFor(() => expect(screen.getByRole("switch").getAttribute("aria-checked")).toBe("false"));
});

test("one that the studio switched off says why", async () => {
  studio.shows["/api/webhooks"] = page({
    ...hook,
    enabled: false,
    disabled_reason: "20 failures",
    failures: 20,
  });
  open("/webhooks");
  expect(await screen.findByText(/20 failures/)).toBeTruthy();
});

test("the log has each message with its attempts and body, and sends one again", async () => {
  open("/webhooks/w1");
  studio.shows["/api/webhooks/w1/deliveries/m1"] = ok({ ...delivered, body: '{"type":"plugin_loaded"}' });
  const line = within(await screen.findByTestId("delivery-m1"));
  openDetails(line.getByRole("group"));
  expect(line.getByRole("table").textContent).toContain("status 200");
  expect(await line.findByText(/"type": "plugin_loaded"/)).toBeTruthy();
  studio.replies["POST /api/webhooks/w1/deliveries/m1/redeliver"] = [ok(delivered)];
  fireEvent.click(line.getByText("Send again"));
  expect(await screen.findByText("The message is on its way again.")).toBeTruthy();
  press("Failed");
  await waitFor(() => expect(studio.read.some((path) => path.endsWith("&status=failed"))).toBe(true));
});

test("a new secret is made only when one is sure, and shown once", async () => {
  open("/webhooks/w1");
  fireEvent.click(await screen.findByRole("button", { name: "More for Bot" }));
  fireEvent.click(screen.getByRole("menuitem", { name: "New signing secret…" }));
  expect(studio.asked).toEqual([]);
  studio.replies["POST /api/webhooks/w1/rotate-secret"] = [ok({ secret: "whsec_new" })];
  click("sure");
  expect((await screen.findByTestId("webhook-secret")).textContent).toBe("whsec_new");
});

test("the system page: what is down, which nodes there are, and one that is away is forgotten", async () => {
  studio.shows["/api/plugins/health"] = {
    status: 503,
    body: { status: "down", components: { redis: { ok: false, detail: "refused" }, database: { ok: true } } },
  };
  const node = {
    node: "n1",
    state: "ready",
    pid: 1,
    started_at: at,
    heartbeat_at: at,
    sandbox: { landlock: 6, seccomp: false },
    plugins: { active: 2, error: 0 },
    this: true,
    expires_at: null,
  };
  studio.shows["/api/nodes"] = page(node, {
    ...node,
    node: "n2",
    state: "away",
    this: false,
    expires_at: at,
  });
  open("/system");
  expect(await screen.findByText("Redis did not answer.")).toBeTruthy();
  const here = within(await screen.findByTestId("node-n1"));
  expect(here.getByText("2 active")).toBeTruthy();
  expect(here.queryByRole("button")).toBeNull();
  expect(here.getByLabelText("Off")).toBeTruthy();
  studio.replies["DELETE /api/nodes/n2"] = [{ status: 204 }];
  press("Forget n2");
  await waitFor(() => expect(studio.asked.map(({ call }) => call)).toEqual(["DELETE /api/nodes/n2"]));
});
