"""`context.storage.add`: nobody's addition gets lost, and only numbers are added to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from plugins_app.models import Plugin, StorageItem
from plugins_app.services.errors import StudioError
from plugins_app.services.storage import QUOTA, storage_add, storage_get, storage_set

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def plugin() -> None:
    Plugin.objects.create(id="purse")


def value(key: str) -> Any:
    return storage_get(plugin_id="purse", key=key)["value"]


# SQLite keeps the files of closed connections open for as long as another one of the process has a lock.
@pytest.mark.allow_leaks("descriptor")
def test_additions_at_once_are_all_counted() -> None:
    def add(thread: int) -> list[float]:
        try:
            return [storage_add(plugin_id="purse", key=f"k{number % 2}", amount=1) for number in range(10)]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        totals = [total for some in pool.map(add, range(4)) for total in some]
    assert sorted(totals) == sorted([*range(1, 21)] * 2)
    assert (value("k0"), value("k1")) == (20, 20)


def test_whole_numbers_stay_whole_and_a_stored_one_is_added_to() -> None:
    storage_set(plugin_id="purse", key="a", value=40)
    total = storage_add(plugin_id="purse", key="a", amount=2)
    assert total == 42 and isinstance(total, int)
    assert storage_add(plugin_id="purse", key="a", amount=-0.5) == 41.5


@pytest.mark.parametrize("amount", ["1", None, True, float("inf"), 2**53 + 1])
def test_only_numbers_are_added(amount: Any) -> None:
    with pytest.raises(StudioError) as caught:
        storage_add(plugin_id="purse", key="a", amount=amount)
    assert caught.value.code == "arguments_invalid"
    assert not StorageItem.objects.exists()


@pytest.mark.parametrize("stored", ["text", [1], True, None, 2**53])
def test_only_numbers_are_added_to(stored: Any) -> None:
    storage_set(plugin_id="purse", key="a", value=stored)
    with pytest.raises(StudioError) as caught:
        storage_add(plugin_id="purse", key="a", amount=1)
    assert caught.value.code == "arguments_invalid" and value("a") == stored


def test_the_quota_holds_for_new_keys_and_a_number_may_grow_in_its_place() -> None:
    storage_add(plugin_id="purse", key="a", amount=1)
    used = StorageItem.objects.get(key="a").size_bytes
    storage_set(plugin_id="purse", key="b", value="x" * (QUOTA - used - len('b""')))
    with pytest.raises(StudioError, match="over its"):
        storage_add(plugin_id="purse", key="c", amount=1)
    assert storage_add(plugin_id="purse", key="a", amount=2**52) == 2**52 + 1


def test_what_may_have_been_stored_is_not_stored_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the connection breaks during the commit, nobody knows."""
    leave = transaction.Atomic.__exit__

    def breaking(self: transaction.Atomic, *args: Any) -> None:
        leave(self, *args)
        if not connection.in_atomic_block:
            raise OperationalError("the server closed the connection unexpectedly")

    monkeypatch.setattr(transaction.Atomic, "__exit__", breaking)
    with pytest.raises(StudioError) as caught:
        storage_add(plugin_id="purse", key="a", amount=1)
    assert caught.value.code == "unavailable"
