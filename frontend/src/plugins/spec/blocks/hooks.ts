// The block between the two lines is the specification's, to the letter; what stands around it only completes it.
import { pluginManager } from '@/plugins/pluginSystem';

// ---- spec begins
// TypeScript
pluginManager.registerHook('plugin:loaded', (pluginId) => {
  console.log(`Plugin loaded: ${pluginId}`);
});

pluginManager.registerHook('plugin:unloaded', (pluginId) => {
  console.log(`Plugin unloaded: ${pluginId}`);
});
// ---- spec ends
