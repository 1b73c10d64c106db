"""Snapshots on their way between nodes: packed into Django's storage (the alias `plugins`), and fetched by digest."""

from __future__ import annotations

import errno
import logging
import shutil
import tempfile

from django.core.files import File
from django.core.files.storage import storages
from django.db import transaction

from plugins_app.models import PluginRelease, PluginVersion

from .archives import archive_pack, archive_unpack
from .errors import StudioError
from .queue import enqueue_on_commit
from .snapshots import snapshot_adopt, snapshot_draft, snapshot_path

__all__ = [
    "package_delete",
    "package_fetch",
    "package_name",
    "package_share",
    "package_share_on_commit",
    "packages_unshared",
]

_MEMORY = 4 * 2**20
_log = logging.getLogger(__name__)


def package_name(plugin_id: str, digest: str) -> str:
    """What the package is called in the storage."""
    return f"{plugin_id}/{digest}.tar.gz"


def package_share_on_commit(version: PluginVersion) -> None:
    """Have a worker of this node pack a version that is released for the first time."""
    if not version.shared:
        enqueue_on_commit("package_share", str(version.pk))


def package_share(*, version_id: int) -> bool:
    """Pack one version for the other nodes. False: it is not in this node's store, or done already.

    Raises:
        OSError: the storage cannot take it; beat tries again.
    """
    version = PluginVersion.objects.filter(id=version_id, shared=False).first()
    folder = snapshot_path(version.plugin_id, version.digest) if version else None
    if version is None or folder is None or not folder.is_dir():
        return False
    with tempfile.SpooledTemporaryFile(_MEMORY) as packed:
        archive_pack(folder, packed)
        packed.seek(0)
        _save(package_name(version.plugin_id, version.digest), File(packed))
    PluginVersion.objects.filter(id=version_id).update(shared=True)
    return True


def _save(name: str, content: File) -> None:
    """Under exactly this name: what a broken attempt has left there is replaced."""
    storage = storages["plugins"]
    storage.delete(name)
    saved = storage.save(name, content)
    if saved != name:  # somebody else has packed the same meanwhile
        storage.delete(saved)


def packages_unshared() -> list[int]:
    """The versions that were released, lie in this node's store and are not packed: a message was lost. For beat."""
    released = PluginRelease.objects.filter(version__shared=False).values("version_id")
    rows = PluginVersion.objects.filter(id__in=released).only("id", "plugin_id", "digest")
    return [row.pk for row in rows if snapshot_path(row.plugin_id, row.digest).is_dir()]


def package_fetch(*, plugin_id: str, digest: str) -> None:
    """Bring a version into this node's store; it is there wholly and verified, or not at all.

    Raises:
        StudioError: `digest_missing` or `disk_full`.
    """
    name = package_name(plugin_id, digest)
    try:
        with snapshot_draft(plugin_id) as draft:
            with storages["plugins"].open(name) as packed, tempfile.TemporaryFile() as whole:
                shutil.copyfileobj(packed, whole)  # a storage's own file may be read forwards only
                archive_unpack(whole, draft)
            snapshot_adopt(plugin_id=plugin_id, digest=digest, draft=draft)
    except StudioError as error:
        raise _missing(plugin_id, digest, error.detail) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            detail = f"There is no room on the disk for version {digest[:12]} of {plugin_id}."
            raise StudioError("disk_full", detail, hint="Make room, and try again.") from error
        raise _missing(plugin_id, digest, error.strerror or str(error)) from error


def _missing(plugin_id: str, digest: str, why: str) -> StudioError:
    detail = f"Version {digest[:12]} of {plugin_id} is not in this node's store and cannot be fetched: {why}"
    hint = "Do the nodes share STUDIO_PACKAGES_DIR? Reload the plugin on the node that has its folder."
    return StudioError("digest_missing", detail, hint=hint)


def package_delete(version: PluginVersion) -> None:
    """Remove a version's package, once the transaction under way is committed."""
    name = package_name(version.plugin_id, version.digest)
    transaction.on_commit(lambda: _delete(name))


def _delete(name: str) -> None:
    try:
        storages["plugins"].delete(name)
    except OSError as error:
        _log.warning("the package %s cannot be removed: %s", name, error)
