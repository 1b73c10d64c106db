"""Plugins as the specification writes them, for the browser tests."""

from __future__ import annotations

__all__ = ["spec_tool"]


def spec_tool(
    plugin_id: str,
    *,
    name: str = "My Custom Plugin",
    needs: str = "",
    initialize: str = "return True",
    key_required: bool = False,
) -> str:
    """A tool with a secret and a bounded number; `needs` is a plugin it depends on."""
    dependencies = [needs] if needs else []
    return f'''
from backend.plugins.base_plugin import PluginMetadata, PluginType, ToolPlugin


class MyPlugin(ToolPlugin):
    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            id="{plugin_id}",
            name="{name}",
            version="1.0.0",
            author="Your Name",
            description="Plugin description",
            plugin_type=PluginType.TOOL,
            dependencies={dependencies},
            config_schema={{
                "api_key": {{"type": "string", "required": {key_required}, "description": "Key of the service"}},
                "timeout": {{"type": "integer", "required": False, "default": 30, "min": 1, "max": 300}},
                "code": {{"type": "string", "pattern": "^[A-Z]{{3}}$", "description": "Three letters"}},
            }},
            tags=["tool", "utility"],
        )

    async def initialize(self) -> bool:
        {initialize}

    async def shutdown(self):
        pass

    async def execute(self, action, parameters):
        if action == "config":
            return dict(self.config)
        return {{"action": action, "parameters": parameters}}
'''
