import { useQuery } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import * as chat from "@/api/chat";
import { Dialog } from "@/ui/Dialog";
import { Empty, Problem, Splash } from "@/ui/states";
import { When } from "@/ui/When";
import { restoreConversation } from "./conversations";
import { Overlay } from "./overlay";
import { keys } from "./wiring";

/** What was deleted is kept for a while, and comes back from here. */
export function DeletedDialog() {
  const { data, isPending, isError, error, refetch } = useQuery({
    queryKey: [...keys.conversations, "deleted"],
    queryFn: ({ signal }) => chat.deletedConversations(signal),
    staleTime: 0,
  });
  return (
    <Dialog title="Deleted chats" subtitle="Kept for 30 days" onClose={() => Overlay.close("deleted")}>
      {isPending && <Splash />}
      {isError && <Problem error={error} onRetry={() => void refetch()} />}
      {data?.length === 0 && (
        <Empty icon={<Trash2 size={24} />} title="Nothing was deleted">
          <p className="muted">A chat you delete can be brought back from here.</p>
        </Empty>
      )}
      <ul className="deleted-list">
        {data?.map((conversation) => (
          <li key={conversation.id}>
            <span>
              {conversation.title || "Untitled"}
              {conversation.deleted_at && (
                <small>
                  Deleted <When at={conversation.deleted_at} />
                </small>
              )}
            </span>
            <button
              type="button"
              className="button small"
              aria-label={`Restore ${conversation.title}`}
              onClick={() => void restoreConversation(conversation)}
            >
              Restore
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
