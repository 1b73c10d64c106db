"""Why versions were chosen, or could not be: the error, its path, and who asked for what."""

from __future__ import annotations

import pytest

from plugins_app.services.errors import StudioError
from plugins_app.services.explaining import because, broken_dependents, explanation, refusal
from plugins_app.services.resolution import Candidate, Conflict, CycleFound, Offer, Reason, resolve
from tests.unit.test_resolution import offered, version


def refused(target: Candidate, **offers: Offer) -> StudioError:
    """The error that a change ends with."""
    everything = {target.plugin_id: offered(target), **offers}
    with pytest.raises((Conflict, CycleFound)) as caught:
        resolve(target, everything)
    assert isinstance(caught.value, Conflict | CycleFound)
    return refusal(target, everything, caught.value)


def test_a_missing_one_is_named_with_the_way_to_it() -> None:
    error = refused(version("a", "1.0.0", "b"), b=offered(version("b", "1.0.0", "c>=2")))
    assert (error.code, error.extra["path"]) == ("dependency_missing", ["a", "b", "c"])
    assert error.detail == "b depends on c >=2, which is not there."
    last = error.extra["explanation"][-1]
    assert (last["by"], last["by_version"], last["id"], last["range"]) == ("b", "1.0.0", "c", ">=2")
    assert (last["chosen"], last["candidates"]) == (None, [])


def test_a_wrong_version_is_named_with_those_that_are_there() -> None:
    error = refused(version("a", "1.0.0", "b>=2"), b=offered(version("b", "1.5.0"), version("b", "1.0.0")))
    assert error.code == "dependency_incompatible"
    assert error.detail == "a depends on b >=2, but 1.5.0, 1.0.0 are there."


def test_askers_that_do_not_agree_are_all_named() -> None:
    b = offered(version("b", "1.0.0"), version("b", "2.0.0"), running="1.0.0")
    c = offered(version("c", "1.0.0", "b<2"), running="1.0.0")
    error = refused(version("a", "1.0.0", "b>=2"), b=b, c=c)
    assert error.code == "dependency_incompatible"
    assert "a 1.0.0 asks for >=2" in error.detail and "c 1.0.0 asks for <2" in error.detail


def test_a_disabled_one_is_named() -> None:
    off = Offer((version("b", "1.0.0"),), reason=Reason("dependency_disabled", "", "Enable it."))
    error = refused(version("a", "1.0.0", "b"), b=off)
    assert (error.code, error.extra["path"], error.hint) == ("dependency_disabled", ["a", "b"], "Enable it.")


def test_a_broken_one_keeps_its_own_code() -> None:
    broken = Offer((), reason=Reason("import_failed", "plugin.py line 1: invalid syntax.", "Correct the file."))
    error = refused(version("a", "1.0.0", "b"), b=broken)
    assert (error.code, error.extra["cause"], error.extra["dependency"]) == ("dependency_failed", "import_failed", "b")


def test_one_that_needs_itself_is_told_with_its_path() -> None:
    error = refused(version("a", "1.0.0", "b"), b=offered(version("b", "1.0.0", "b")))
    assert (error.code, error.extra["path"]) == ("dependency_self", ["a", "b", "b"])


def test_a_circle_is_told_with_its_path() -> None:
    error = refused(version("a", "1.0.0", "b"), b=offered(version("b", "1.0.0", "a")))
    assert (error.code, error.extra["path"]) == ("dependency_cycle", ["a", "b", "a"])
    assert "a -> b -> a" in error.detail


def test_why_a_version_was_passed_over_is_kept() -> None:
    future = Candidate("b", "2.0.0", "x", reason=Reason("version_incompatible", "b needs app >=99."))
    offers = {"b": offered(future, version("b", "1.0.0"))}
    target = version("a", "1.0.0", "b")
    first, second = explanation(resolve(target, offers), offers)
    assert (first["id"], first["by"], first["chosen"]) == ("a", None, "1.0.0")
    assert (second["id"], second["by"], second["chosen"]) == ("b", "a", "1.0.0")
    assert second["candidates"] == ["2.0.0", "1.0.0"]
    assert second["rejected"] == [{"version": "2.0.0", "code": "version_incompatible", "reason": "b needs app >=99."}]


def test_every_dependent_without_a_way_out_is_named() -> None:
    offers = {
        "one": offered(version("one", "1.0.0", "base<2"), running="1.0.0"),
        "two": offered(version("two", "1.0.0", "base<2"), version("two", "2.0.0", "base>=3"), running="1.0.0"),
        "fine": offered(version("fine", "1.0.0", "base<2"), version("fine", "2.0.0", "base"), running="1.0.0"),
    }
    error = broken_dependents(version("base", "2.0.0"), offers)
    assert error is not None and error.code == "dependency_incompatible"
    assert error.extra["dependents"] == ["one", "two"]
    assert broken_dependents(version("base", "1.5.0"), offers) is None


def test_because_tells_what_a_plugin_goes_along_with() -> None:
    target = version("base", "2.0.0")
    offers = {
        "base": offered(target),
        "top": offered(version("top", "1.0.0", "base<2"), version("top", "2.0.0", "base>=2", "extra"), running="1.0.0"),
        "stays": offered(version("stays", "1.0.0", "base"), running="1.0.0"),
        "extra": offered(version("extra", "1.0.0")),
    }
    found = resolve(target, offers)
    why = {each.plugin_id: because(each, found, offers, {"base", "top", "extra"}) for each in found.order}
    assert why["top"] == [{"id": "base", "range": "<2", "version": "2.0.0"}]
    assert why["stays"] == [{"id": "base", "range": "", "version": "2.0.0"}]
    assert why["extra"] == [{"id": "top", "range": "", "version": "2.0.0"}]
