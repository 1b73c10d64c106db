import { createContext } from "react";
import type { Model } from "@/api/types";
import type { ChatSession } from "./session";

export interface ChatSurroundings {
  readonly session: ChatSession;
  readonly models: readonly Model[];
  /** The one that will be asked. */
  readonly model: Model | undefined;
  /** Nothing can be asked while an answer comes. */
  readonly busy: boolean;
}

/** The conversation that the parts of a transcript belong to. */
export const ChatContext = createContext<ChatSurroundings | null>(null);
