import { QueryClientProvider } from "@tanstack/react-query";
import { useEffect } from "react";
import { Redirect, useLocation, useSearchParams } from "wouter";
import { whenSignedOut } from "@/api/http";
import { followLifecycle } from "@/api/lifecycle";
import type { Person } from "@/api/types";
import { LoginPage } from "@/pages/LoginPage";
import { pluginManager } from "@/plugins/instance";
import { Problem, Splash } from "@/ui/states";
import { startTheme, theme } from "@/ui/theme";
import { Toasts } from "@/ui/toasts";
import { useMe, usePluginList } from "./queries";
import { pageAt } from "./routes";
import { Shell } from "./Shell";
import { hearLifecycle, keys, queryClient, refreshPlugins, showRemotePlugins } from "./wiring";

startTheme();
pluginManager.host.theme.set(theme.get());
theme.subscribe((value) => pluginManager.host.theme.set(value));
whenSignedOut(() => queryClient.setQueryData(keys.me, null));

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <Gate />
      <Toasts />
    </QueryClientProvider>
  );
}

/** Nobody gets further without having signed in. */
function Gate() {
  const me = useMe();
  const [path] = useLocation();
  const [search] = useSearchParams();
  if (me.isPending) return <Splash />;
  if (me.isError) return <Problem error={me.error} onRetry={() => void me.refetch()} full />;
  if (!me.data && path !== "/login")
    return <Redirect to={`/login?next=${encodeURIComponent(path)}`} replace />;
  if (!me.data) return <LoginPage />;
  if (path === "/login") return <Redirect to={localPath(search.get("next"))} replace />;
  return <Studio person={me.data} path={path} />;
}

function Studio({ person, path }: { person: Person; path: string }) {
  useLivePlugins();
  return <Shell person={person}>{pageAt(path, person)}</Shell>;
}

/** Keeps the page's UI plugins, and its lists, in step with the server. */
function useLivePlugins(): void {
  const { data } = usePluginList();
  useEffect(() => {
    if (data) void showRemotePlugins(data);
  }, [data]);
  useEffect(() => {
    void pluginManager.initialize();
    return followLifecycle({ onEvent: hearLifecycle, onOpen: refreshPlugins });
  }, []);
  useEffect(() => () => void showRemotePlugins([]), []);
}

/** Where to go after signing in: only ever a path of our own. */
function localPath(next: string | null): string {
  return next?.startsWith("/") && !next.startsWith("//") && next !== "/login" ? next : "/";
}
