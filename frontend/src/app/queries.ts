import { useQuery } from "@tanstack/react-query";
import { ApiError } from "@/api/http";
import * as studio from "@/api/studio";
import { keys } from "./wiring";

/** `null`: nobody is signed in. */
export function useMe() {
  return useQuery({
    queryKey: keys.me,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) =>
      studio.me(signal).catch((error: unknown) => {
        if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return null;
        throw error;
      }),
  });
}

export function useModels() {
  return useQuery({ queryKey: keys.models, queryFn: ({ signal }) => studio.models(signal) });
}

export function usePluginList() {
  return useQuery({ queryKey: keys.plugins, queryFn: ({ signal }) => studio.plugins(signal) });
}

export function useConversations() {
  return useQuery({ queryKey: keys.conversations, queryFn: ({ signal }) => studio.conversations(signal) });
}
