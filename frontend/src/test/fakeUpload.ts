import { vi } from "vitest";
import type { Reply } from "./fakeStudio";

/** An upload that the test carries out by hand. */
export class FakeUpload {
  static made: FakeUpload[] = [];
  readonly upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {};
  readonly headers: Record<string, string> = {};
  onload?: () => void;
  onerror?: () => void;
  onabort?: () => void;
  status = 0;
  statusText = "";
  responseText = "";
  form?: FormData;
  url = "";

  constructor() {
    FakeUpload.made.push(this);
  }

  open(_method: string, url: string) {
    this.url = url;
  }

  setRequestHeader(name: string, value: string) {
    this.headers[name] = value;
  }

  getResponseHeader = () => null;

  send(form: FormData) {
    this.form = form;
  }

  get fileName(): string {
    const file = this.form?.get("package");
    return file instanceof File ? file.name : "";
  }

  abort() {
    this.onabort?.();
  }

  sent(loaded: number, total: number) {
    this.upload.onprogress?.({ loaded, total });
  }

  answer({ status, body }: Reply) {
    this.status = status;
    this.responseText = JSON.stringify(body);
    this.onload?.();
  }
}

/** Takes the place of XMLHttpRequest until the test is over. */
export function fakeUploads(): void {
  FakeUpload.made = [];
  vi.stubGlobal("XMLHttpRequest", FakeUpload);
}

export function theUpload(): FakeUpload {
  const made = FakeUpload.made.at(-1);
  if (!made) throw new Error("nothing was uploaded");
  return made;
}
