"""What a plugin says it needs: reading it, refusing nonsense, and who is unloaded before whom."""

import pytest

from plugins_app.models import Plugin, PluginRelease, PluginVersion
from plugins_app.services.dependencies import (
    as_version,
    check_compat,
    dependencies_of,
    dependency_problems,
    dependents_of,
    fits,
)
from plugins_app.services.errors import StudioError


@pytest.mark.parametrize(
    ("text", "name", "versions"),
    [
        ("b", "b", ""),
        ("b>=1,<2", "b", ">=1,<2"),
        ("b >= 1", "b", ">= 1"),
        ("my_b^1.2", "my-b", "^1.2"),
        ("b 1", "b", "1"),
        ("  b\t>=1 ,<2 ", "b", ">=1 ,<2"),
        ("b *", "b", "*"),
    ],
)
def test_a_requirement_is_read(text: str, name: str, versions: str) -> None:
    [found] = dependencies_of({"dependencies": [text]})
    assert (found.plugin_id, found.range) == (name, versions)
    assert not dependency_problems({"dependencies": [text], "optional_dependencies": [text]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b whatever",
        "b>>1",
        "b=1",
        "B",
        "../b",
        "b>=1; x",
        "b >=1 c",
        "b>=",
        "b -1",
        1,
        None,
        {},
        "b" * 65,
        "b " * 99,
    ],
)
def test_nonsense_is_refused_with_its_text(text: object) -> None:
    [problem] = dependency_problems({"dependencies": [text]})
    assert repr(text)[:40] in problem and "other-plugin>=1.2,<2" in problem
    assert len(problem) < 200


def test_a_list_is_asked_for() -> None:
    [problem] = dependency_problems({"optional_dependencies": "b>=1"})
    assert "'b>=1'" in problem and "list" in problem


def test_ranges_of_the_studio_are_read_as_well() -> None:
    [problem] = dependency_problems({"app": "newest", "sdk": "1"})
    assert "'newest'" in problem


def test_what_was_stored_before_it_was_checked_does_no_harm() -> None:
    assert [each.plugin_id for each in dependencies_of({"dependencies": ["!!", None]})] == ["!!", "None"]
    assert [each.plugin_id for each in dependencies_of({"dependencies": "b"})] == ["b"]


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
        ("1.5.0", "~=1.4", True),
        ("1.5.0", "==1.*", True),
        ("1.5.0", " >= 1.2 , < 2 ", True),
        ("1.3.0", "^1.2,!=1.3.0", False),
        ("0.2.9", "^0.2", True),
        ("0.3.0", "^0.2", False),
        ("0.0.4", "^0.0.3", False),
        ("0.9.0", "0.2", True),
        ("2.0.0-rc.1", "<2", False),
        ("1.0.0-unheard.of", "", True),
        ("1.0.0-unheard.of", ">=1", False),
        ("1.0.0-unheard.of", ">=0.9", True),
        ("1.0.0-1", ">=1", False),
        ("1.0.0+build-7", "==1.0.0", True),
        ("1.5.0", "9" * 5000, False),
        ("1.0." + "9" * 5000, ">=1", False),
    ],
)
def test_a_version_fits_a_range(version: str, versions: str, expected: bool) -> None:
    assert fits(version, versions) is expected


def test_a_plugin_for_another_studio_is_refused() -> None:
    with pytest.raises(StudioError) as caught:
        check_compat("a", {"app": ">=99"})
    assert caught.value.code == "version_incompatible"


def test_versions_are_ordered_as_semantic_versioning_says() -> None:
    rising = ["1.0.0-unheard.of", "1.0.0-alpha.1", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0"]
    assert sorted(reversed(rising), key=as_version) == rising


def loaded(plugin_id: str, *needs: str, waiting: tuple[str, ...] | None = None) -> Plugin:
    def release(dependencies: tuple[str, ...]) -> PluginRelease:
        return PluginRelease(version=PluginVersion(metadata={"dependencies": list(dependencies)}))

    return Plugin(id=plugin_id, desired=release(needs), waiting=None if waiting is None else release(waiting))


def test_dependents_come_before_what_they_need_themselves() -> None:
    rows = [loaded("base"), loaded("a", "base"), loaded("b", "base", "a"), loaded("c", "b"), loaded("d", "a", "c")]
    assert dependents_of("base", {row.id: row for row in rows}) == ["d", "c", "b", "a"]
    assert dependents_of("d", {row.id: row for row in rows}) == []


def test_only_what_is_loaded_depends_and_a_version_on_its_way_counts() -> None:
    idle = Plugin(id="idle", version=PluginVersion(metadata={"dependencies": ["base"]}))
    rows = [loaded("base"), idle, loaded("moving", waiting=("base",))]
    assert dependents_of("base", {row.id: row for row in rows}) == ["moving"]


def test_optional_ones_do_not_hold_back_an_unload() -> None:
    version = PluginVersion(metadata={"optional_dependencies": ["base"]})
    rows = [loaded("base"), Plugin(id="light", desired=PluginRelease(version=version))]
    assert dependents_of("base", {row.id: row for row in rows}) == []
