import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import * as chat from "@/api/chat";
import { ApiError, relative } from "@/api/http";
import * as management from "@/api/management";
import { isUnsettled } from "@/api/settling";
import * as studio from "@/api/studio";
import type { Conversation, Plugin } from "@/api/types";
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

/** Asked again by itself while something goes on that no event tells of: a bar that fills, a trial that ends. */
export function usePluginList() {
  return useQuery({
    queryKey: keys.plugins,
    queryFn: ({ signal }) => studio.plugins(signal),
    refetchInterval: ({ state }) => untilNextLook(state.data ?? []),
  });
}

/** Plugins are called by name; one that is not there by its id. */
export function usePluginNames(): (id: string) => string {
  const { data } = usePluginList();
  return (id) => data?.find((plugin) => plugin.id === id)?.name ?? id;
}

export function usePlan(id: string, query: management.PlanQuery) {
  return useQuery({
    queryKey: keys.plugin(id, "plan", query),
    queryFn: ({ signal }) => management.plan(id, query, signal),
  });
}

const LOOK_MS = 1_500;

export function untilNextLook(plugins: readonly Plugin[], now = Date.now()): number | false {
  if (plugins.some(isUnsettled)) return LOOK_MS;
  const ends = plugins.flatMap(({ soak }) => (soak ? [Date.parse(soak.until)] : []));
  return ends.length > 0 && Math.max(LOOK_MS, Math.min(...ends) - now + 500);
}

/** The latest ones; a search looks through all. What is on the screen stays until the new list is there. */
export function useConversations(query: chat.ConversationQuery = {}) {
  const path = chat.conversationsPath(query);
  return usePages<Conversation>([...keys.conversations, path], path, { placeholderData: keepPreviousData });
}

/** A long list, one page of it after another. */
export function usePages<T>(
  queryKey: readonly unknown[],
  path: string,
  {
    again = () => false,
    ...more
  }: { again?: (items: readonly T[]) => number | false; placeholderData?: typeof keepPreviousData } = {},
) {
  const query = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) => management.page<T>(pageParam, signal),
    initialPageParam: path,
    getNextPageParam: ({ next }) => (next ? relative(next) : null),
    refetchInterval: ({ state }) => again(state.data?.pages.flatMap(({ results }) => results) ?? []),
    ...more,
  });
  return { ...query, items: query.data?.pages.flatMap(({ results }) => results) };
}
