"""Choosing versions: checked one by one, and against a search through everything for random plugins."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins_app.services.dependencies import Dependency, fits
from plugins_app.services.resolution import Candidate, Conflict, CycleFound, Offer, Reason, candidate_of, resolve

World = Mapping[str, Candidate]


def version(plugin_id: str, number: str, *needs: str, optional: Sequence[str] = ()) -> Candidate:
    metadata = {"version": number, "dependencies": list(needs), "optional_dependencies": list(optional)}
    return candidate_of(plugin_id, f"{plugin_id}-{number}", metadata)


def offered(*candidates: Candidate, running: str | None = None) -> Offer:
    """What there is of one plugin, most wanted first; the running version before all."""
    current = next((each for each in candidates if each.version == running), None)
    return Offer(tuple(sorted(candidates, key=lambda each: each is not current)), current)


def chosen(target: Candidate, **offers: Offer) -> dict[str, str]:
    found = resolve(target, {target.plugin_id: offered(target), **offers})
    return {each.plugin_id: each.version for each in found.order}


def test_what_is_needed_comes_first() -> None:
    a = version("a", "1.0.0", "b", "c>=1")
    found = chosen(a, b=offered(version("b", "1.0.0", "c")), c=offered(version("c", "1.0.0")))
    assert list(found) == ["c", "b", "a"]


def test_the_most_wanted_version_that_fits_is_taken() -> None:
    b = offered(version("b", "2.0.0"), version("b", "1.9.0"), version("b", "1.1.0"))
    assert chosen(version("a", "1.0.0", "b"), b=b)["b"] == "2.0.0"
    assert chosen(version("a", "1.0.0", "b<2"), b=b)["b"] == "1.9.0"


def test_a_choice_that_leads_nowhere_is_taken_back() -> None:
    b = offered(version("b", "2.0.0", "nowhere"), version("b", "1.0.0"))
    assert chosen(version("a", "1.0.0", "b"), b=b) == {"b": "1.0.0", "a": "1.0.0"}


def test_what_runs_is_kept_although_there_is_something_newer() -> None:
    b = offered(version("b", "2.0.0"), version("b", "1.0.0"), running="1.0.0")
    assert chosen(version("a", "1.0.0", "b"), b=b)["b"] == "1.0.0"


def test_a_loaded_dependent_that_does_not_fit_any_more_goes_along() -> None:
    a = offered(version("a", "1.0.0", "b<2"), version("a", "2.0.0", "b>=2"), running="1.0.0")
    keeps = offered(version("keeps", "1.0.0", "b"), version("keeps", "1.1.0", "b"), running="1.0.0")
    assert chosen(version("b", "2.0.0"), a=a, keeps=keeps) == {"b": "2.0.0", "a": "2.0.0", "keeps": "1.0.0"}


def test_a_new_dependency_is_loaded_in_the_version_a_loaded_plugin_can_live_with() -> None:
    lives = offered(version("lives", "1.0.0", optional=["b<2"]), running="1.0.0")
    b = offered(version("b", "2.0.0"), version("b", "1.0.0"))
    assert chosen(version("a", "1.0.0", "b"), b=b, lives=lives)["b"] == "1.0.0"


def test_optional_ones_are_not_loaded_but_hold_what_is() -> None:
    a = version("a", "1.0.0", optional=["b>=2"])
    assert chosen(a, b=offered(version("b", "2.0.0"))) == {"a": "1.0.0"}
    b = offered(version("b", "1.0.0"), version("b", "2.0.0"), running="1.0.0")
    assert chosen(a, b=b) == {"b": "2.0.0", "a": "1.0.0"}
    with pytest.raises(Conflict):
        chosen(a, b=offered(version("b", "1.0.0"), running="1.0.0"))


def test_optional_ones_order_but_never_close_a_circle() -> None:
    a, b = version("a", "1.0.0", "b"), offered(version("b", "1.0.0", optional=["a", "c"]))
    found = chosen(a, b=b, c=offered(version("c", "1.0.0"), running="1.0.0"))
    assert list(found) == ["c", "b", "a"]


def test_what_is_not_fit_to_be_chosen_is_passed_over() -> None:
    future = candidate_of("b", "b-2", {"version": "2.0.0", "app": ">=99"})
    assert future.reason is not None and future.reason.code == "version_incompatible"
    assert chosen(version("a", "1.0.0", "b"), b=offered(future, version("b", "1.0.0")))["b"] == "1.0.0"
    off = Offer((version("b", "1.0.0"),), reason=Reason("dependency_disabled", "b is disabled."))
    with pytest.raises(Conflict):
        chosen(version("a", "1.0.0", "b"), b=off)


def test_one_that_names_itself_is_not_fit() -> None:
    itself = version("a", "1.0.0", "a>=1")
    assert itself.reason is not None and itself.reason.code == "dependency_self"
    assert version("a", "1.0.0", optional=["a"]).reason is None


def test_a_conflict_says_who_asked_for_what() -> None:
    b = offered(version("b", "1.0.0"), version("b", "2.0.0"), running="1.0.0")
    c = offered(version("c", "1.0.0", "b<2"), running="1.0.0")
    with pytest.raises(Conflict) as caught:
        chosen(version("a", "1.0.0", "b>=2"), b=b, c=c)
    asks = {(str(ask.by) if ask.by else None, ask.plugin_id, ask.range) for ask in caught.value.asks}
    assert asks == {(None, "b", ""), ("a 1.0.0", "b", ">=2"), ("c 1.0.0", "b", "<2")}


def test_a_circle_is_told_from_the_plugin_that_is_loaded() -> None:
    with pytest.raises(CycleFound) as caught:
        chosen(version("b", "1.0.0", "c"), c=offered(version("c", "1.0.0", "a")), a=offered(version("a", "1.0.0", "b")))
    assert caught.value.path == ["b", "c", "a", "b"]


def test_a_circle_is_avoided_by_another_version() -> None:
    b = offered(version("b", "2.0.0", "a"), version("b", "1.0.0"))
    assert chosen(version("a", "1.0.0", "b"), b=b) == {"b": "1.0.0", "a": "1.0.0"}


# Random plugins, and every combination of them tried.

IDS = ("a", "b", "c", "d", "e")
NUMBERS = ("1.0.0", "1.5.0", "2.0.0")
RANGES = ("", ">=1.5", "<1.5", "<2", ">=2", "==1.5.0", ">=1,<2")


@st.composite
def plugins(draw: st.DrawFn) -> dict[str, tuple[Candidate, ...]]:
    """Some plugins, each in some versions that ask for others at random."""
    needs = st.tuples(st.sampled_from(IDS), st.sampled_from(RANGES), st.booleans())
    found = {}
    for plugin_id in draw(st.sets(st.sampled_from(IDS), min_size=1)):
        numbers = draw(st.permutations(NUMBERS))[: draw(st.integers(1, 3))]
        found[plugin_id] = tuple(
            Candidate(
                plugin_id,
                number,
                f"{plugin_id}-{number}",
                tuple(Dependency(*need) for need in draw(st.lists(needs, max_size=3)) if need[0] != plugin_id),
            )
            for number in numbers
        )
    return found


def is_sound(world: World) -> bool:
    """Whether everybody in it has what they ask for."""
    return all(
        (need.optional if need.plugin_id not in world else fits(world[need.plugin_id].version, need.range))
        for each in world.values()
        for need in each.needs
    )


def has_circle(world: World) -> bool:
    """Whether the plugins that are needed can be put into no order."""
    left = dict(world)
    while left:
        free = [n for n, each in left.items() if not any(d.plugin_id in left for d in each.needs if not d.optional)]
        if not free:
            return True
        for name in free:
            del left[name]
    return False


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, tuple[Candidate, ...]], dict[str, Candidate], Candidate]:
    """Plugins, those of them that are loaded, and one version that is to be."""
    found = draw(plugins())
    loaded = {name: draw(st.sampled_from(of)) for name, of in sorted(found.items()) if draw(st.booleans())}
    while loaded and (not is_sound(loaded) or has_circle(loaded)):
        del loaded[draw(st.sampled_from(sorted(loaded)))]
    target = draw(st.sampled_from(found[draw(st.sampled_from(sorted(found)))]))
    return found, loaded, target


def every_world(
    found: Mapping[str, tuple[Candidate, ...]], loaded: World, target: Candidate
) -> Iterator[dict[str, Candidate]]:
    """Every way to have the target, and still all that is loaded."""
    choices = [
        (target,) if name == target.plugin_id else (*of, *(() if name in loaded else (None,)))
        for name, of in found.items()
    ]
    for combination in itertools.product(*choices):
        yield {each.plugin_id: each for each in combination if each is not None}


def related(found: Mapping[str, tuple[Candidate, ...]], loaded: World, target: Candidate) -> dict[str, Offer]:
    """What takes part: the offers as the database layer would gather them."""
    taking, new = set(), {target.plugin_id}
    while new:
        taking |= new
        asked = {
            need.plugin_id
            for name in taking
            for each in ((target,) if name == target.plugin_id else found[name])
            for need in each.needs
            if need.plugin_id in found and (not need.optional or need.plugin_id in loaded)
        }
        asking = {name for name, each in loaded.items() if taking & {need.plugin_id for need in each.needs}}
        new = (asked | asking) - taking
    return {name: offered(*found[name], running=loaded[name].version if name in loaded else None) for name in taking}


@settings(max_examples=300, deadline=None)
@given(situations())
def test_what_is_chosen_fits_or_nothing_does(
    situation: tuple[dict[str, tuple[Candidate, ...]], dict[str, Candidate], Candidate],
) -> None:
    found, loaded, target = situation
    offers = related(found, loaded, target)
    try:
        result = resolve(target, offers)
    except (Conflict, CycleFound):
        fitting = [w for w in every_world(found, loaded, target) if is_sound(w) and not has_circle(w)]
        assert not fitting, "there is a way"
        return
    world = {**loaded, **result.chosen}
    assert result.chosen[target.plugin_id] is target
    assert is_sound(world) and not has_circle(world)
    assert result.chosen.keys() <= offers.keys(), "an unrelated plugin is in it"
    new = world.keys() - loaded.keys() - {target.plugin_id}
    needed = {need.plugin_id for each in world.values() for need in each.needs if not need.optional}
    assert new <= needed, "something is loaded that nobody needs"
    names = [each.plugin_id for each in result.order]
    assert all(
        names.index(need.plugin_id) < names.index(each.plugin_id)
        for each in result.order
        for need in each.needs
        if not need.optional
    )
