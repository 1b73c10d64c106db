"""The smallest Python packages there are, for tests that install some."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

__all__ = ["sdist_that_waits", "wheel"]

_WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_BACKEND = """
import pathlib, time

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    pathlib.Path({marker!r}).write_text("building")
    while pathlib.Path({marker!r}).exists():
        time.sleep(0.05)
    raise SystemExit("nobody waits for it any more")
"""


def wheel(folder: Path, name: str, version: str = "1.0", *, word: str = "own", requires: tuple[str, ...] = ()) -> Path:
    """A wheel whose module `<name>.WORD` is `word`."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(f"{name}.py", f"WORD = {word!r}\n")
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        made.writestr(f"{info}/WHEEL", _WHEEL)
        made.writestr(f"{info}/RECORD", "".join(f"{one},,\n" for one in (f"{name}.py", f"{info}/METADATA")))
    return path


def sdist_that_waits(folder: Path, name: str, marker: Path) -> Path:
    """A source distribution that writes the file `marker` when it is built, and goes on building while that exists."""
    path = folder / f"{name}-1.0.tar.gz"
    project = f'[project]\nname = "{name}"\nversion = "1.0"\n'
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    files = {
        "pyproject.toml": system + project,
        "backend.py": _BACKEND.format(marker=str(marker)),
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n",
    }
    with tarfile.open(path, "w:gz") as made:
        for file, text in files.items():
            info = tarfile.TarInfo(f"{name}-1.0/{file}")
            info.size = len(text)
            made.addfile(info, io.BytesIO(text.encode()))
    return path
