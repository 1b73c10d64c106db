export * from "@/plugins/pluginSystem";
