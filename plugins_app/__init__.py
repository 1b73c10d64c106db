"""The plugin system of AI Chat Studio."""

from plugins_app.sdk import aliases as _aliases

_aliases.install()
