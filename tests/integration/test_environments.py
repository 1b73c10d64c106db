"""Plugins with Python packages of their own."""

from collections.abc import Callable
from pathlib import Path

from tests.integration.sources import tool
from tests.studio import Studio, wait_for

Drop = Callable[..., Path]
MANIFEST = """
[plugin]
id = "packed"
name = "Packed"
version = "1.0.0"
type = "tool"
entry = "plugin:Made"
[python]
requirements = ["{requirement}"]
"""


def test_packages_that_cannot_be_installed_are_told_with_the_reason(studio: Studio, plugin_folder: Drop) -> None:
    manifest = MANIFEST.format(requirement="packed-dep @ file:///nowhere/packed_dep-1.0-py3-none-any.whl")
    plugin_folder("packed", tool("packed"), files={"plugin.toml": manifest})
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "packed"})
    problem = answer.json()
    assert (answer.status, problem["code"]) == (502, "environment_install_failed"), answer.text
    assert "packed" in problem["detail"] and "no reason" not in problem["detail"]
    shown = studio.http.get("/api/plugins/packed").json()
    assert (shown["state"], shown["last_error"]["code"]) == ("error", "environment_install_failed")
    # Loading it again tries again.
    assert studio.http.post("/api/plugins/load", {"plugin_id": "packed"}).json()["code"] == "environment_install_failed"


def test_a_local_package_is_installed_for_this_plugin_alone(
    studio: Studio, plugin_folder: Drop, tmp_path: Path
) -> None:
    wheel = _wheel(tmp_path)
    plugin_folder(
        "packed",
        tool("packed", execute="import own_dep\nreturn own_dep.WORD"),
        files={"plugin.toml": MANIFEST.format(requirement=f"own-dep @ file://{wheel}")},
    )
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "packed"})
    assert answer.status in (200, 202), answer.text
    wait_for(lambda: studio.http.get("/api/plugins/packed").json()["state"] == "active", 30)
    call = {"plugin_id": "packed", "method": "execute"}
    assert studio.http.post("/api/plugins/execute", call).json()["result"] == "own"


def _wheel(folder: Path) -> Path:
    """The smallest wheel there is."""
    import zipfile

    path = folder / "own_dep-1.0-py3-none-any.whl"
    info = "own_dep-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("own_dep.py", 'WORD = "own"\n')
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: own-dep\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"own_dep.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path
