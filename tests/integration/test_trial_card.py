"""What a plugin object says of a generation that is on trial."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
_MANIFEST = """
[plugin]
id = "{id}"
name = "Tried"
version = "1.0.0"
type = "tool"

[limits]
soak_s = {seconds}
"""


def test_a_new_generation_is_on_trial_until_then(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("tried", tool("tried"), files={"plugin.toml": _MANIFEST.format(id="tried", seconds=600)})
    first = studio.http.post("/api/plugins/load", {"plugin_id": "tried"}).json()
    assert first["generation"] == 1 and first["soak"] is None, "there is nothing that could come back"
    card = studio.http.post("/api/plugins/tried/reload").json()
    assert card["soak"]["generation"] == card["generation"] == 2
    left = datetime.fromisoformat(card["soak"]["until"]) - datetime.now(UTC)
    assert timedelta(seconds=500) < left <= timedelta(seconds=600)
    assert card["message"] == ""
    assert studio.http.post("/api/plugins/tried/unload").json()["soak"] is None


def test_without_a_trial_nothing_is_said_of_one(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("trusted", tool("trusted"), files={"plugin.toml": _MANIFEST.format(id="trusted", seconds=0)})
    assert studio.http.post("/api/plugins/load", {"plugin_id": "trusted"}).status == 200
    assert studio.http.post("/api/plugins/trusted/reload").json()["soak"] is None
