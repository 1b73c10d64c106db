"""What a plugin asks for, and what may be granted to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins_app.sdk.manifest import ManifestError, read_manifest
from plugins_app.services.permissions import (
    permissions_asked,
    permissions_grantable,
    permissions_missing,
    permissions_optional,
)

METADATA = {"permissions": {"network": ["api.example.com:443"], "optional": ["files:*", "network:*"]}}
MANIFEST = '[plugin]\nid = "a"\nname = "A"\nversion = "1.0.0"\ntype = "tool"\n[permissions]\noptional = {}\n'


def test_what_is_optional_is_not_asked_for() -> None:
    assert permissions_asked(METADATA) == ["network:api.example.com:443"]
    assert permissions_missing(METADATA, []) == ["network:api.example.com:443"]
    assert permissions_optional(METADATA) == ["files:*", "network:*"]


def test_only_what_is_asked_for_or_fits_a_pattern_counts() -> None:
    granted = ["subprocess", "files:/srv/models", "network:api.example.com:443", "network:127.0.0.1:3128"]
    assert permissions_grantable(METADATA, granted) == [
        "network:api.example.com:443",
        "files:/srv/models",
        "network:127.0.0.1:3128",
    ]


@pytest.mark.parametrize("wrong", ["*", "files", "hosts:*"])
def test_a_pattern_names_its_kind(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "plugin.toml"
    path.write_text(MANIFEST.format(f'["files:/srv/*", "{wrong}"]'))
    with pytest.raises(ManifestError, match=r"permissions\.optional: .* is not written kind:value"):
        read_manifest(path)
