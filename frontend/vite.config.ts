import { resolve } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** What the page lends to UI plugins: bare specifier -> module of ours that re-exports it. */
const SDK = {
  react: "react",
  "react/jsx-runtime": "react-jsx-runtime",
  "react-dom": "react-dom",
  "@/plugins/pluginSystem": "pluginSystem",
} as const;

const BASE = "/static/";

/**
 * Writes the import map. In a build the SDK modules are further entries of the same build, so they share
 * the page's chunks: a UI plugin gets the page's own React, never a second copy.
 */
function importMap(): Plugin {
  let serving = false;
  return {
    name: "studio-import-map",
    configResolved(config) {
      serving = config.command === "serve";
    },
    transformIndexHtml: {
      order: "post",
      handler: () => [
        { tag: "script", attrs: { type: "importmap" }, children: imports(serving), injectTo: "head-prepend" },
      ],
    },
  };
}

function imports(serving: boolean): string {
  const url = (file: string) => (serving ? `${BASE}src/sdk/${file}.ts` : `${BASE}sdk/${file}.js`);
  const map = Object.fromEntries(Object.entries(SDK).map(([name, file]) => [name, url(file)]));
  return JSON.stringify({ imports: map });
}

const sdkEntries = Object.fromEntries(
  [...Object.values(SDK), "frame"].map((file) => [
    `sdk/${file}`,
    resolve(import.meta.dirname, `src/sdk/${file}.ts`),
  ]),
);

export default defineConfig({
  base: BASE,
  plugins: [react(), importMap()],
  resolve: { alias: { "@": resolve(import.meta.dirname, "src") } },
  build: {
    target: "es2022",
    sourcemap: true,
    rolldownOptions: {
      input: { main: resolve(import.meta.dirname, "index.html"), ...sdkEntries },
      preserveEntrySignatures: "exports-only",
      output: {
        // UI plugins name these files in the import map, so they keep their names; all else is hashed.
        entryFileNames: (chunk) => (chunk.name.startsWith("sdk/") ? "[name].js" : "assets/[name]-[hash].js"),
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/plugin-assets", "/admin"].map((path) => [
        path,
        process.env.STUDIO_URL ?? "http://127.0.0.1:8000",
      ]),
    ),
  },
});
