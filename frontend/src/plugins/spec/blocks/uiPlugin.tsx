// The block between the two lines is the specification's, to the letter; what stands around it only completes it.
// ---- spec begins
import { IUIPlugin, PluginType } from '@/plugins/pluginSystem';

class MyUIPlugin implements IUIPlugin {
  getComponent() {
    return MyReactComponent;
  }

  getMountPoint() {
    return 'sidebar'; // or 'toolbar', 'chat-input', etc.
  }
}
// ---- spec ends

const MyReactComponent = () => <p>my component</p>;

export { MyUIPlugin, PluginType };
