"""Plugins as people write them, for tests that drop them into the plugins folder."""

import textwrap
from collections.abc import Mapping

__all__ = ["tool"]

_TEMPLATE = """
import asyncio, os, time
from backend.plugins.base_plugin import PluginMetadata, PluginType, ToolPlugin


class Made(ToolPlugin):
    @property
    def metadata(self):
        return PluginMetadata(
            id={id!r}, name="Made for a test", version={version!r}, author="Ada", description="Does what a test wants.",
            plugin_type=PluginType.TOOL, dependencies={dependencies!r},
            optional_dependencies={optional!r}, config_schema={schema!r}, tags=["made"],
        )

    async def initialize(self):
{initialize}

    async def execute(self, action="echo", parameters=None):
{execute}
"""


def tool(
    plugin_id: str,
    *,
    version: str = "1.0.0",
    dependencies: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    schema: Mapping[str, object] | None = None,
    initialize: str = "return True",
    execute: str = 'return {"action": action, "parameters": parameters}',
) -> str:
    """The text of a `plugin.py` as the specification writes one."""
    return _TEMPLATE.format(
        id=plugin_id,
        version=version,
        dependencies=list(dependencies),
        optional=list(optional),
        schema=dict(schema or {}),
        initialize=textwrap.indent(textwrap.dedent(initialize), " " * 8),
        execute=textwrap.indent(textwrap.dedent(execute), " " * 8),
    )
