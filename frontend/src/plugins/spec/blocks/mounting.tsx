// The block between the two lines is the specification's, to the letter; what stands around it only completes it.
// ---- spec begins
import { PluginMount } from '@/plugins/pluginSystem';

function ChatInterface() {
  return (
    <div>
      {/* Render plugins at specific mount points */}
      <PluginMount mountPoint="toolbar" />

      <div className="chat-area">
        {/* Chat content */}
      </div>

      <PluginMount mountPoint="chat-input" />
    </div>
  );
}
// ---- spec ends

export { ChatInterface };
