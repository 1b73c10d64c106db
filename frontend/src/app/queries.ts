import { keepPreviousData, useQuery } from "@tanstack/react-query";
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

/** The latest ones; a search looks through all. What is on the screen stays until the new list is there. */
export function useConversations(search = "") {
  return useQuery({
    queryKey: [...keys.conversations, search],
    queryFn: ({ signal }) => studio.conversations(search, signal),
    placeholderData: keepPreviousData,
  });
}
