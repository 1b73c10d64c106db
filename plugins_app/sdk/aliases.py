"""The specification's own import paths, so that a plugin written for it loads without a change.

`backend.plugins.base_plugin` is `plugins_app.sdk`; `backend.plugins.plugin_manager` is `plugins_app.manager`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["install"]

_TARGETS = {
    "backend.plugins.base_plugin": "plugins_app.sdk",
    "backend.plugins.plugin_manager": "plugins_app.manager",
}
_PACKAGES = ("backend", "backend.plugins")


class _AliasFinder(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in _PACKAGES or fullname in _TARGETS:
            return ModuleSpec(fullname, self, is_package=fullname in _PACKAGES)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        if spec.name not in _TARGETS:
            return None
        module = importlib.import_module(_TARGETS[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: a target ran when it was imported, a package is empty."""
        spec = module.__spec__
        if spec is not None and spec.loader_state is not None:
            module.__spec__ = spec.loader_state  # the import system had put the alias's spec there


def install() -> None:
    """Make the aliases importable in this process. Doing it twice changes nothing."""
    if not any(isinstance(finder, _AliasFinder) for finder in sys.meta_path):
        sys.meta_path.append(_AliasFinder())
