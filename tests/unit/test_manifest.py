"""`plugin.toml`: what is read, and what is said about what is wrong."""

from pathlib import Path

import pytest

from plugins_app.sdk.manifest import ManifestError, read_manifest

GOOD = """
[plugin]
id = "my-plugin"
name = "My plugin"
version = "1.2.3"
type = "tool"
tags = ["a", "b"]
entry = "plugin:MyPlugin"

[compat]
app = ">=0.1,<2"
sdk = 1

[dependencies]
calculator = ">=1,<2"
anything = "*"

[dependencies.optional]
redact = "1"

[python]
requirements = ["httpx>=0.27"]

[config]
version = 2
[config.schema.api_key]
type = "string"
required = true

[permissions]
network = ["api.example.com:443"]
subprocess = true

[limits]
memory_mb = 128
call_timeout_s = 1.5
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "plugin.toml"
    path.write_text(GOOD)
    return path


def problems_of(path: Path, text: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    return caught.value.problems


def test_reads_every_table(manifest: Path) -> None:
    metadata = read_manifest(manifest)
    assert (metadata.id, metadata.version, metadata.plugin_type) == ("my-plugin", "1.2.3", "tool")
    assert metadata.dependencies == ["calculator >=1,<2", "anything"]
    assert metadata.optional_dependencies == ["redact 1"]
    assert metadata.requirements == ["httpx>=0.27"]
    assert metadata.config_schema == {"api_key": {"type": "string", "required": True}}
    assert metadata.permissions == {"network": ["api.example.com:443"], "subprocess": True}
    assert metadata.limits == {"memory_mb": 128, "call_timeout_s": 1.5}
    assert (metadata.app, metadata.sdk, metadata.config_version) == (">=0.1,<2", "1", 2)


def test_an_unknown_key_is_named_with_the_nearest_known_one(manifest: Path) -> None:
    problems = problems_of(manifest, GOOD.replace('version = "1.2.3"', 'version = "1.2.3"\nlicence = "MIT"'))
    assert problems == ["unknown key plugin.licence: the nearest known one is plugin.license"]


def test_an_unknown_table_is_named_with_the_nearest_known_one(manifest: Path) -> None:
    problems = problems_of(manifest, GOOD + "\n[permission]\nenv = []\n")
    assert problems == ["unknown key permission: the nearest known one is permissions"]


def test_methods_is_no_key_of_plugin(manifest: Path) -> None:
    problems = problems_of(manifest, GOOD.replace('tags = ["a", "b"]', 'methods = ["x"]'))
    assert problems[0].startswith("unknown key plugin.methods")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('name = "My plugin"', "name = 3", "plugin.name must be a string, not 3"),
        ('type = "tool"', 'type = "gadget"', "plugin.type must be one of"),
        ("subprocess = true", 'subprocess = "yes"', "permissions.subprocess must be true or false"),
        ("memory_mb = 128", "memory_mb = true", "limits.memory_mb must be a whole number"),
        ("memory_mb = 128", "memory_mb = -1", "limits.memory_mb must be more than 0"),
        ('tags = ["a", "b"]', "tags = [1]", "plugin.tags must be a list of strings"),
        ('version = "1.2.3"', 'version = "1.2"', "is not a semantic version"),
        ('id = "my-plugin"', 'id = "My Plugin"', "must be lower-case words"),
        ('anything = "*"', "anything = 1", "dependencies.anything must be a version range"),
    ],
)
def test_a_wrong_value_is_told_in_words(manifest: Path, before: str, after: str, expected: str) -> None:
    assert any(expected in problem for problem in problems_of(manifest, GOOD.replace(before, after)))


def test_what_must_be_there_is_named(manifest: Path) -> None:
    assert problems_of(manifest, "[plugin]\nid = 'x'\n") == ["plugin.name, plugin.version, plugin.type must be given"]


def test_a_schema_outside_the_folder_is_refused(manifest: Path) -> None:
    text = GOOD.split("[config]")[0] + '[config]\nschema = "../../etc/passwd"\n'
    assert "lies outside" in problems_of(manifest, text)[0]


def test_invalid_toml_is_told_with_its_line(manifest: Path) -> None:
    assert "line 2" in problems_of(manifest, "[plugin]\nid = \n")[0]
