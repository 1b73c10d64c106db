"""Which plugins a plugin needs, and in which order."""

import pytest

from plugins_app.models import Plugin, PluginVersion
from plugins_app.services.dependencies import check_compat, dependencies_of, fits, load_order
from plugins_app.services.errors import StudioError


def catalogue(**needs: list[str]) -> dict[str, Plugin]:
    """Plugins of version 1.5.0, each with its dependencies."""
    return {
        name: Plugin(id=name, version=PluginVersion(metadata={"version": "1.5.0", "dependencies": needed}))
        for name, needed in needs.items()
    }


def code_of(plugins: dict[str, Plugin], plugin_id: str) -> tuple[str, str]:
    with pytest.raises(StudioError) as caught:
        load_order(plugin_id, plugins)
    return caught.value.code, caught.value.detail


def test_needed_ones_come_first() -> None:
    assert load_order("a", catalogue(a=["b", "c>=1"], b=["c"], c=[])) == ["c", "b", "a"]


def test_a_missing_one_is_named() -> None:
    code, detail = code_of(catalogue(a=["b>=2"]), "a")
    assert code == "dependency_missing" and "b >=2" in detail


def test_a_wrong_version_is_named_with_the_one_that_is_there() -> None:
    code, detail = code_of(catalogue(a=["b>=2"], b=[]), "a")
    assert code == "dependency_incompatible" and "1.5.0" in detail


def test_a_circle_is_told_with_its_path() -> None:
    code, detail = code_of(catalogue(a=["b"], b=["c"], c=["a"]), "a")
    assert code == "dependency_cycle" and detail.count("->") == 3


def test_a_plugin_that_needs_itself_is_a_circle() -> None:
    assert code_of(catalogue(a=["a"]), "a")[0] == "dependency_cycle"


@pytest.mark.parametrize(
    ("text", "name", "versions"),
    [
        ("b", "b", ""),
        ("b>=1,<2", "b", ">=1,<2"),
        ("b >= 1", "b", ">= 1"),
        ("my_b^1.2", "my-b", "^1.2"),
        ("b 1", "b", "1"),
    ],
)
def test_a_requirement_is_read(text: str, name: str, versions: str) -> None:
    [found] = dependencies_of({"dependencies": [text]})
    assert (found.plugin_id, found.range) == (name, versions)


@pytest.mark.parametrize(
    ("version", "versions", "expected"),
    [
        ("1.5.0", "", True),
        ("1.5.0", "*", True),
        ("1.5.0", ">=1.2,<2", True),
        ("2.0.0", ">=1.2,<2", False),
        ("1.5.0", "^1.2", True),
        ("2.0.0", "^1.2", False),
        ("1.5.0", "1", True),
        ("1.0.0-beta.1", ">=0.9", True),
        ("1.5.0", "whatever", False),
    ],
)
def test_a_version_fits_a_range(version: str, versions: str, expected: bool) -> None:
    assert fits(version, versions) is expected


def test_a_plugin_for_another_studio_is_refused() -> None:
    with pytest.raises(StudioError) as caught:
        check_compat("a", {"app": ">=99"})
    assert caught.value.code == "version_incompatible"
