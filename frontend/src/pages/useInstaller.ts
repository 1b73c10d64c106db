import { useRef, useState } from "react";
import { ApiError } from "@/api/http";
import * as management from "@/api/management";
import { refreshPlugins } from "@/app/wiring";

export type InstallStep =
  | { readonly name: "closed" }
  | { readonly name: "choose"; readonly error?: unknown; readonly file?: File }
  | { readonly name: "sending"; readonly file: File; readonly fraction: number }
  | { readonly name: "done"; readonly plugin: management.InstalledPlugin };

export type Installer = ReturnType<typeof useInstaller>;

/** Brings one package to the studio: choose, send, see what it was. */
export function useInstaller() {
  const [step, setStep] = useState<InstallStep>({ name: "closed" });
  const abort = useRef<AbortController>(undefined);

  const send = async (file: File) => {
    const complaint = complaintOf(file);
    if (complaint) return setStep({ name: "choose", file, error: complaint });
    const own = new AbortController();
    abort.current = own;
    setStep({ name: "sending", file, fraction: 0 });
    const onProgress = (fraction: number) => setStep({ name: "sending", file, fraction });
    try {
      const plugin = await management.installPackage(file, { signal: own.signal, onProgress });
      setStep({ name: "done", plugin });
      refreshPlugins();
    } catch (error) {
      if (!own.signal.aborted) setStep({ name: "choose", file, error });
    }
  };

  return {
    step,
    send,
    open: () => setStep({ name: "choose" }),
    /** Whatever is being sent is not sent any further. */
    close: () => {
      abort.current?.abort();
      setStep({ name: "closed" });
    },
  };
}

/** What can be said of a file before it is sent. */
function complaintOf({ name, size }: File): ApiError | undefined {
  const fits = /\.(zip|tar\.gz|tgz)$/i.test(name);
  if (fits && size > 0) return undefined;
  const title = fits ? "The file is empty" : "This is no plugin package";
  const detail = fits ? `${name} has no content.` : `${name} is neither a .zip nor a .tar.gz file.`;
  const hint = "Pack the plugin's folder, then try again.";
  return new ApiError({ code: "package_invalid", title, detail, hint, status: 0 });
}
