// The block between the two lines is the specification's, to the letter; what stands around it only completes it.
import { PluginType } from '@/plugins/pluginSystem';

const calls: unknown[] = [];

class MyPlugin implements IUIPlugin {
  initialize(config: unknown) {
    calls.push(['initialize', config]);
    return true;
  }

  shutdown() {
    calls.push(['shutdown']);
  }

  getComponent() {
    return () => null;
  }

  getMountPoint() {
    return 'toolbar';
  }
}

// ---- spec begins
import { pluginManager, IUIPlugin } from '@/plugins/pluginSystem';

// Initialize plugin manager
await pluginManager.initialize();

// Load a plugin
const myPlugin = new MyPlugin();
await pluginManager.loadPlugin(myPlugin, {
  apiKey: 'secret-key'
});

// Get plugins by type
const uiPlugins = pluginManager.getPluginsByType(PluginType.UI);

// Unload plugin
await pluginManager.unloadPlugin('my-plugin');
// ---- spec ends

export { calls, myPlugin, uiPlugins };
