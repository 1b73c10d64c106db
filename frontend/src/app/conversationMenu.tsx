import { useLocation } from "wouter";
import type { Conversation } from "@/api/types";
import type { MenuItem } from "@/ui/Menu";
import {
  archiveConversation,
  deleteConversation,
  exportConversation,
  pinConversation,
  retitleConversation,
} from "./conversations";
import { usePluginList } from "./queries";

/** What one can do with a conversation, in the list and above the chat. */
export function useConversationMenu(
  conversation: Pick<Conversation, "id" | "title" | "pinned" | "archived">,
  onRename: () => void,
): readonly MenuItem[] {
  const [path, navigate] = useLocation();
  const exports = useExports();
  const { id, pinned = false, archived = false } = conversation;
  const leave = () => path === `/c/${id}` && navigate("/");
  return [
    { label: "Rename", run: onRename },
    { label: "Make a new title", run: () => void retitleConversation(id) },
    ...(archived ? [] : [{ label: pinned ? "Unpin" : "Pin", run: () => void pinConversation(id, !pinned) }]),
    ...exports.map(({ label, format }) => ({
      label: `Export as ${label}`,
      run: () => void exportConversation(id, format),
    })),
    {
      label: archived ? "Unarchive" : "Archive",
      run: () => void archiveConversation(conversation, !archived),
    },
    {
      label: "Delete",
      danger: true,
      run: () => {
        void deleteConversation(conversation);
        leave();
      },
    },
  ];
}

/** The formats of the export plugins that are loaded. */
export function useExports(): readonly { readonly label: string; readonly format: string }[] {
  const { data: plugins = [] } = usePluginList();
  return plugins
    .filter((plugin) => plugin.type === "export" && plugin.state === "active")
    .map(({ id, name }) => ({ label: name.replace(/ export$/i, ""), format: id }));
}
