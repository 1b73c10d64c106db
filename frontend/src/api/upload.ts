import { type Answer, cookie, refusal } from "./http";

export interface UploadOptions {
  readonly signal: AbortSignal;
  /** From 0 to 1; at 1 the server has it all and looks at it. */
  readonly onProgress: (fraction: number) => void;
}

/** Posts a form and tells how far it is. Only XMLHttpRequest knows that: fetch says nothing of what was sent. */
export function upload<T>(path: string, form: FormData, { signal, onProgress }: UploadOptions) {
  return new Promise<Answer<T>>((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", path);
    call.setRequestHeader("Accept", "application/json");
    call.setRequestHeader("X-CSRFToken", cookie("csrftoken"));
    call.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    call.onload = () => {
      const { status, statusText, responseText } = call;
      if (status < 200 || status > 299) return reject(refusal(status, statusText, responseText));
      resolve({ data: JSON.parse(responseText) as T, status, location: call.getResponseHeader("Location") });
    };
    call.onerror = () => reject(refusal(0, "", ""));
    call.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    signal.addEventListener("abort", () => call.abort(), { once: true });
    call.send(form);
  });
}
