"""What the bundled export plugins have in common, though none can import another."""

from __future__ import annotations

from pathlib import Path

PLUGINS = Path(__file__).parents[2] / "installed_plugins"


def test_they_understand_the_same_mathematics() -> None:
    copies = {path.parent.name: path.read_bytes() for path in PLUGINS.glob("*_export/maths.py")}
    assert len(copies) == 3
    assert len(set(copies.values())) == 1, "the copies of maths.py differ"
