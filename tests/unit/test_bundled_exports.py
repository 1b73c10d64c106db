"""What the bundled export plugins have in common, though none can import another."""

from __future__ import annotations

import re
from pathlib import Path

from plugins_app.sdk.testing import PluginHarness

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "installed_plugins"


def test_they_understand_the_same_mathematics() -> None:
    copies = {path.parent.name: path.read_bytes() for path in PLUGINS.glob("*_export/maths.py")}
    assert len(copies) == 3
    assert len(set(copies.values())) == 1, "the copies of maths.py differ"


async def test_the_example_in_the_documentation_works(tmp_path: Path) -> None:
    folder = tmp_path / "plain_text"
    folder.mkdir()
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/exports.md").read_text(encoding="utf-8"), re.M | re.S)
    (folder / "plugin.py").write_text(code, encoding="utf-8")
    (folder / "plugin.toml").write_text(
        '[plugin]\nid = "plain-text"\nname = "Text"\nversion = "1.0.0"\ntype = "export"\ndescription = "Text."\n'
    )
    async with PluginHarness(folder) as plugin:
        assert await plugin.call("export", {"messages": [{"role": "user", "content": "hi"}]}) == b"User: hi\n\n"
