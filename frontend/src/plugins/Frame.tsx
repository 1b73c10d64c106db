/** The page's side of a sandboxed UI plugin: an iframe without an origin, and one MessagePort to it. */
import { useEffect, useRef, useState } from "react";
import { messageOf, UIPluginError } from "./errors";
import {
  CHAT_EVENT_NAMES,
  type FrameQuestion,
  type FromFrame,
  frameDocument,
  HELLO,
  messageChanges,
  type ToFrame,
} from "./frameProtocol";
import type { RemotePlugin } from "./remote";
import type { IUIPlugin, UIPluginContext, UIPluginProps } from "./types";

/** Places where several plugins stand side by side. */
const INLINE = new Set(["toolbar", "chat-input", "message-actions"]);
const MAX_SIZE = { width: 480, height: 640 };

/** An ordinary plugin of the page whose component is a frame that runs the remote one. */
export function framedPlugin(remote: RemotePlugin): IUIPlugin {
  let source = "";
  return {
    async initialize() {
      const response = await fetch(remote.ui.entry);
      if (!response.ok) throw new UIPluginError(`its file answered ${response.status} (${remote.ui.entry})`);
      source = await response.text();
    },
    getMountPoint: () => remote.ui.mounts,
    getComponent: () => (props) => <PluginFrame {...props} remote={remote} source={source} />,
  };
}

type FrameProps = UIPluginProps & { readonly remote: RemotePlugin; readonly source: string };

function PluginFrame(props: FrameProps) {
  const frame = useRef<HTMLIFrameElement>(null);
  const [size, setSize] = useState({ width: 120, height: 32 });
  const [failure, setFailure] = useState<string>();
  const fill = !INLINE.has(props.mountPoint);
  const [page] = useState(() =>
    frameDocument(location.origin, sdkUrls(), { theme: props.context.theme.get(), fill }),
  );
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => connect(frame, () => latest.current, { onSize: setSize, onFailure: setFailure }), []);
  // Thrown here so that the boundary around every plugin shows it like any other failure.
  if (failure) throw new UIPluginError(failure, { pluginId: props.pluginId });
  return (
    <iframe
      ref={frame}
      className="plugin-frame"
      title={props.remote.name}
      sandbox="allow-scripts"
      srcDoc={page}
      style={fill ? { ...size, width: "100%" } : size}
    />
  );
}

interface FrameListeners {
  onSize: (size: { width: number; height: number }) => void;
  onFailure: (message: string) => void;
}

function connect(
  frame: { current: HTMLIFrameElement | null },
  props: () => FrameProps,
  listeners: FrameListeners,
): () => void {
  const undos: (() => void)[] = [];
  const greet = (event: MessageEvent) => {
    if (event.data !== HELLO || event.source !== frame.current?.contentWindow) return;
    const { port1, port2 } = new MessageChannel();
    const send = (message: ToFrame) => port1.postMessage(message);
    port1.onmessage = (message: MessageEvent<FromFrame>) => hear(message.data, props(), listeners, send);
    // "*" because a sandboxed frame has no origin to name; the source was checked above.
    frame.current?.contentWindow?.postMessage(initOf(props()), "*", [port2]);
    undos.push(...forward(props(), send), () => port1.close());
  };
  window.addEventListener("message", greet);
  return () => {
    window.removeEventListener("message", greet);
    for (const undo of undos) undo();
  };
}

function initOf({ remote, source, mountPoint, config, slot, context }: FrameProps): ToFrame {
  const { id, name, version, ui } = remote;
  return {
    type: "init",
    plugin: { id, name, version },
    mountPoint,
    mounts: ui.mounts,
    source,
    config,
    slot: JSON.parse(JSON.stringify(slot)) as Record<string, unknown>,
    theme: context.theme.get(),
    conversation: context.conversation.get(),
    messages: context.messages.get(),
    draft: context.composer.text.get(),
  };
}

function forward({ context }: FrameProps, send: (message: ToFrame) => void): (() => void)[] {
  let told = context.messages.get();
  return [
    context.messages.subscribe((value) => {
      send({ type: "messages", ...messageChanges(told, value) });
      told = value;
    }),
    context.composer.text.subscribe((value) => send({ type: "draft", value })),
    context.theme.subscribe((value) => send({ type: "theme", value })),
    context.conversation.subscribe((value) => send({ type: "conversation", value })),
    ...CHAT_EVENT_NAMES.map((event) =>
      context.chat.on(event, (payload) => send({ type: "chat", event, payload })),
    ),
  ];
}

/** The frame is not trusted: what it says is checked and bounded. */
function hear(
  message: FromFrame,
  { context }: FrameProps,
  { onSize, onFailure }: FrameListeners,
  send: (message: ToFrame) => void,
): void {
  if (message.type === "size") {
    onSize({
      width: bounded(message.width, MAX_SIZE.width),
      height: bounded(message.height, MAX_SIZE.height),
    });
  } else if (message.type === "insert") context.composer.insert(String(message.text));
  else if (message.type === "replace") context.composer.replace(String(message.text));
  else if (message.type === "reveal") context.messages.reveal(String(message.messageId));
  else if (message.type === "failed") onFailure(String(message.message));
  else if (message.type === "ask") {
    const { id } = message;
    answerTo(message.question, context).then(
      (result) => send({ type: "answer", id, result }),
      (error: unknown) => send({ type: "answer", id, error: messageOf(error) }),
    );
  }
}

/** Only ever for the frame's own plugin: the context says which that is, not the frame. */
async function answerTo(question: FrameQuestion, { call, storage }: UIPluginContext): Promise<unknown> {
  if (question.what === "call") return call(String(question.method), { ...question.kwargs });
  if (question.what === "read") return storage.get(String(question.key));
  if (question.value === undefined) return storage.delete(String(question.key));
  return storage.set(String(question.key), question.value);
}

function bounded(value: number, most: number): number {
  return Math.min(Math.max(Math.ceil(Number(value)) || 0, 1), most);
}

/** The page's own import map, plus the frame's runtime beside it. */
function sdkUrls(): Record<string, string> {
  const text = document.querySelector('script[type="importmap"]')?.textContent ?? '{"imports":{}}';
  const { imports } = JSON.parse(text) as { imports: Record<string, string> };
  return {
    ...imports,
    "studio/frame": (imports["@/plugins/pluginSystem"] ?? "").replace("pluginSystem", "frame"),
  };
}
