/**
 * The UI plugin SDK: the one module a UI plugin imports besides React.
 *
 *     import { pluginManager, IUIPlugin, PluginType, PluginMount } from '@/plugins/pluginSystem'
 */
export { UIPluginError } from "./errors";
export { pluginManager } from "./instance";
export { type LoadedPlugin, type LoadOptions, type MountedComponent, PluginManager } from "./manager";
export { MOUNT_POINTS, type MountPoint } from "./mounts";
export {
  PluginMount,
  type PluginMountProps,
  useChatEvent,
  useConversation,
  useMessages,
  usePluginContext,
  usePlugins,
  useTheme,
} from "./react";
export {
  type ChatAttachment,
  type ChatEventName,
  type ChatEvents,
  type ChatMessage,
  type ChatToolCall,
  type ConversationInfo,
  IUIPlugin,
  type PluginConfig,
  type PluginEvent,
  type PluginEventDetail,
  type PluginHook,
  PluginType,
  type Readable,
  type Theme,
  type TokenUsage,
  type UIComponent,
  type UIPluginContext,
  type UIPluginMetadata,
  type UIPluginProps,
  type Undo,
} from "./types";
