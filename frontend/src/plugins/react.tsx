/** The React binding of the UI plugin runtime: thin, and the only file of it that knows React. */
import {
  Component,
  type ComponentType,
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useEffectEvent,
  useSyncExternalStore,
} from "react";
import { messageOf } from "./errors";
import { pluginManager } from "./instance";
import type { LoadedPlugin, MountedComponent, PluginManager } from "./manager";
import { type MountPoint, parseMount } from "./mounts";
import type {
  ChatEventName,
  ChatEvents,
  ChatMessage,
  ConversationInfo,
  Readable,
  Theme,
  UIPluginContext,
  UIPluginProps,
} from "./types";

/** Which manager the tree below uses; the page's own unless a test says otherwise. */
export const PluginManagerContext = createContext<PluginManager>(pluginManager);

const OwnContext = createContext<UIPluginContext | null>(null);
const NO_SLOT: Readonly<Record<string, unknown>> = {};

export interface PluginMountProps {
  /** `"toolbar"` or `"toolbar/v1"`. */
  readonly mountPoint: MountPoint | `${MountPoint}/v${number}`;
  readonly slot?: Readonly<Record<string, unknown>>;
  readonly className?: string;
}

/** Everything UI plugins show at one place. Each of them sits in an error boundary of its own. */
export function PluginMount({ mountPoint, slot = NO_SLOT, className }: PluginMountProps): ReactNode {
  const point = parseMount(mountPoint);
  const mounted = useMounted(point);
  return (
    <div
      className={className ? `plugin-mount ${className}` : "plugin-mount"}
      data-testid={`mount-${point}`}
      data-mount={point}
      data-empty={mounted.length === 0 || undefined}
    >
      {mounted.map((entry) => (
        <MountedPlugin key={entry.key} entry={entry} point={point} slot={slot} />
      ))}
    </div>
  );
}

function MountedPlugin({
  entry,
  point,
  slot,
}: {
  entry: MountedComponent;
  point: MountPoint;
  slot: PluginMountProps["slot"];
}) {
  const manager = useContext(PluginManagerContext);
  const { plugin } = entry;
  const PluginComponent = entry.component as ComponentType<UIPluginProps>;
  return (
    <PluginBoundary plugin={plugin} onCrash={(error) => manager.reportCrash(plugin.id, error)}>
      <OwnContext value={plugin.context}>
        <div className="plugin-slot" data-plugin={plugin.id}>
          <PluginComponent
            pluginId={plugin.id}
            mountPoint={point}
            config={plugin.config}
            context={plugin.context}
            slot={slot ?? NO_SLOT}
          />
        </div>
      </OwnContext>
    </PluginBoundary>
  );
}

interface BoundaryProps {
  readonly plugin: LoadedPlugin;
  readonly onCrash: (error: unknown) => void;
  readonly children: ReactNode;
}

/** Turns a plugin that throws into a small chip that says so. */
export class PluginBoundary extends Component<BoundaryProps, { error: unknown; failed: boolean }> {
  override state = { error: undefined as unknown, failed: false };

  static getDerivedStateFromError(error: unknown) {
    return { error, failed: true };
  }

  override componentDidCatch(error: unknown): void {
    this.props.onCrash(error);
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    const retry = () => this.setState({ failed: false, error: undefined });
    return <CrashChip name={this.props.plugin.name} error={this.state.error} onRetry={retry} />;
  }
}

function CrashChip({ name, error, onRetry }: { name: string; error: unknown; onRetry: () => void }) {
  const reason = messageOf(error);
  return (
    <span className="plugin-crash" role="alert" title={reason}>
      <strong>{name}</strong>
      <span className="plugin-crash-text">stopped working: {reason}</span>
      <button type="button" onClick={onRetry}>
        Retry
      </button>
    </span>
  );
}

export function useMounted(point: MountPoint): readonly MountedComponent[] {
  const manager = useContext(PluginManagerContext);
  return useSyncExternalStore(manager.subscribe, () => manager.getMounted(point));
}

export function usePlugins(): readonly LoadedPlugin[] {
  const manager = useContext(PluginManagerContext);
  return useSyncExternalStore(manager.subscribe, manager.getPlugins);
}

/** The context of the plugin whose component this is. */
export function usePluginContext(): UIPluginContext {
  const context = useContext(OwnContext);
  if (!context) throw new Error("usePluginContext() works only inside a mounted UI plugin.");
  return context;
}

export function useReadable<T>(readable: Readable<T>): T {
  return useSyncExternalStore(readable.subscribe, readable.get);
}

export function useConversation(): ConversationInfo {
  return useReadable(usePluginContext().conversation);
}

export function useMessages(): readonly ChatMessage[] {
  return useReadable(usePluginContext().messages);
}

export function useTheme(): Theme {
  return useReadable(usePluginContext().theme);
}

/** Calls back on an event of the chat stream while the component is mounted. */
export function useChatEvent<E extends ChatEventName>(
  event: E,
  listener: (payload: ChatEvents[E]) => void,
): void {
  const { chat } = usePluginContext();
  const latest = useEffectEvent(listener);
  useEffect(() => chat.on(event, (payload) => latest(payload)), [chat, event]);
}
