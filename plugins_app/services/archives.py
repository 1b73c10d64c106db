"""Unpacking archives that strangers made, and packing our own always to the same bytes. Needs no database."""

from __future__ import annotations

import errno
import gzip
import io
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, cast

from .errors import StudioError
from .folders import FILE_LIMIT, FOLDER_LIMIT, IGNORED, walk

__all__ = ["COUNT_LIMIT", "PACKAGE_LIMIT", "archive_pack", "archive_unpack"]

PACKAGE_LIMIT = 100 * 2**20
COUNT_LIMIT = 5_000
DEPTH_LIMIT = 32
NAME_LIMIT = 1_000
RATIO_LIMIT = 200
_RATIO_FROM = 10 * 2**20  # a small file may shrink as it likes
_CHUNK = 2**18
_LEFT_OUT = IGNORED | {"__MACOSX", ".DS_Store"}
_DIRECTORY_BYTES = 4 * 2**20  # of a zip's central directory: far more than COUNT_LIMIT names need
_END_OF_ZIP = struct.Struct("<4s4H2LH")

Kind = Literal["file", "directory", "symlink", "hardlink"]


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of an archive. `target` is what a link points to; `read` opens a file's content."""

    name: str
    kind: Kind
    executable: bool = False
    target: str = ""
    read: Callable[[], IO[bytes]] | None = None


def archive_unpack(source: BinaryIO, target: Path) -> None:
    """Unpack a zip or tar.gz into the new directory `target`; nothing is ever written anywhere else.

    Raises:
        StudioError: `package_invalid` or `package_too_large`; part of it may lie in `target` then.
        OSError: it cannot be written.
    """
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    magic = source.read(4)
    source.seek(0)
    if size > PACKAGE_LIMIT:
        raise _too_large(f"it has {size / 2**20:.0f} MB")
    target.mkdir(parents=True)
    try:
        if magic[:2] == b"\x1f\x8b":
            _Unpacking(target, size).all(_tar_items(source, size))
        elif magic[:2] == b"PK":
            _Unpacking(target, size).all(_zip_items(source, size))
        else:
            raise _invalid("it is neither a zip nor a tar.gz file")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _invalid(f"it is damaged ({error})") from error
    except (ValueError, KeyError, RuntimeError, NotImplementedError, struct.error) as error:
        # What the standard library raises for headers that make no sense.
        raise _invalid(f"it cannot be read ({error})") from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # an offset before the beginning
            raise _invalid(f"it is damaged ({error})") from error
        raise


class _Unpacking:
    """Writes the items of one archive, and counts."""

    def __init__(self, target: Path, packed: int) -> None:
        self._target = target
        self._packed = max(packed, 1)
        self._count = self._bytes = 0
        self._kinds: dict[str, Kind] = {}
        self._folded: dict[str, str] = {}
        self._links: list[tuple[str, str]] = []

    def all(self, items: Iterator[_Item]) -> None:
        for item in items:
            self._count += 1
            if self._count > COUNT_LIMIT:
                raise _too_large(f"it has more than {COUNT_LIMIT} entries")
            name = _checked_name(item.name)
            if name and not _LEFT_OUT & set(name.split("/")):
                self._one(name, item)
        for name, to in self._links:
            self._link(name, to)

    def _one(self, name: str, item: _Item) -> None:
        self._claim(name, item.kind)
        path = self._target / name
        if item.kind == "directory":
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if item.kind == "symlink":
            self._links.append((name, item.target))  # last of all: until then there is none to write through
        elif item.kind == "hardlink":
            other = self._hardlinked(name, item.target)
            self._copy(path, other.open("rb"))
            path.chmod(stat.S_IMODE(other.stat().st_mode))
        elif item.read is not None:
            self._copy(path, item.read())
            path.chmod(0o755 if item.executable else 0o644)

    def _claim(self, name: str, kind: Kind) -> None:
        """Take the name, unless it or one that some disks take for it is taken."""
        if kind != "directory" and name in self._kinds:
            raise _invalid(f"{name} is in it twice")
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            part = "/".join(parts[:depth])
            wanted: Kind = kind if depth == len(parts) else "directory"
            folded = unicodedata.normalize("NFC", part).casefold()
            if (known := self._folded.setdefault(folded, part)) != part:
                raise _invalid(f"{known} and {part} differ only in the case or form of their letters")
            if (had := self._kinds.setdefault(part, wanted)) != wanted:
                raise _invalid(f"{part} is in it twice, as a {had} and as a {wanted}")

    def _copy(self, path: Path, source: IO[bytes]) -> None:
        size = 0
        with source, path.open("xb") as copy:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                self._bytes += len(chunk)
                self._check(path, size)
                copy.write(chunk)

    def _check(self, path: Path, size: int) -> None:
        if size > FILE_LIMIT:
            raise _too_large(f"{path.name} has more than {FILE_LIMIT // 2**20} MB")
        if self._bytes > FOLDER_LIMIT:
            raise _too_large(f"unpacked it has more than {FOLDER_LIMIT // 2**20} MB")
        if self._bytes > _RATIO_FROM and self._bytes > RATIO_LIMIT * self._packed:
            raise _too_large(f"unpacked it is more than {RATIO_LIMIT} times as large as packed")

    def _hardlinked(self, name: str, target: str) -> Path:
        other = _checked_name(target)
        if self._kinds.get(other) != "file":
            raise _invalid(f"{name} is a hard link to {target}, which is no file before it in the package")
        return self._target / other

    def _link(self, name: str, to: str) -> None:
        """A link to a file of the package; the folder's check has the last word on it."""
        reached = _resolved(name, to)
        if reached is None:
            raise _invalid(f"the symbolic link {name} leads out of the package")
        if self._kinds.get(reached) not in ("file", "hardlink"):
            raise _invalid(f"the symbolic link {name} does not point to a file of the package")
        (self._target / name).symlink_to(to)


def _checked_name(name: str) -> str:
    """The name with slashes and nothing odd in it; empty for the archive's own top."""
    if name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        raise _invalid(f"{_shown(name)} is an absolute path")
    if "\\" in name or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise _invalid(f"{_shown(name)} is not a file's name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _invalid(f"{_shown(name)} leads out of the package")
    if len(parts) > DEPTH_LIMIT or len(name.encode()) > NAME_LIMIT or any(len(part.encode()) > 255 for part in parts):
        raise _invalid(f"{_shown(name)} is too long or too deep")
    return "/".join(parts)


def _resolved(name: str, to: str) -> str | None:
    """Which entry a link in `name` to `to` means; None when it leads out."""
    if not to or to.startswith(("/", "\\")) or "\0" in to:
        return None
    parts = name.split("/")[:-1]
    for step in to.split("/"):
        if step == "..":
            if not parts:
                return None
            parts.pop()
        elif step not in ("", "."):
            parts.append(step)
    return "/".join(parts)


def _shown(name: str) -> str:
    return repr(name[:80])


def _zip_items(source: BinaryIO, size: int) -> Iterator[_Item]:
    _check_zip_directory(source, size)
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            yield _zip_item(archive, info)


def _check_zip_directory(source: BinaryIO, size: int) -> None:
    """Look at the size of the list of names before it is read as a whole."""
    source.seek(max(0, size - 2**16 - _END_OF_ZIP.size))
    tail = source.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_OF_ZIP.size:
        raise _invalid("it is damaged (its list of files is missing)")
    *_, count, directory, _offset, _comment = _END_OF_ZIP.unpack_from(tail, at)
    if count > COUNT_LIMIT or directory > _DIRECTORY_BYTES or b"PK\x06\x07" in tail[:at][-20:]:
        raise _too_large(f"it has more than {COUNT_LIMIT} entries")
    source.seek(0)


def _zip_item(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Item:
    name = info.orig_filename  # `filename` ends at a NUL
    mode = info.external_attr >> 16 if info.create_system == 3 else 0
    if info.flag_bits & 0x1:
        raise _invalid("it is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _invalid(f"{_shown(name)} is packed in a way that is not supported")
    if name.endswith("/"):
        return _Item(name, "directory")
    if stat.S_ISLNK(mode):
        return _Item(name, "symlink", target=_zip_link(archive, info))
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _invalid(f"{_shown(name)} is neither a file nor a folder")
    return _Item(name, "file", bool(mode & stat.S_IXUSR), read=lambda: archive.open(info))


def _zip_link(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    with archive.open(info) as file:
        text = file.read(NAME_LIMIT + 1)
    if len(text) > NAME_LIMIT:
        raise _invalid(f"{_shown(info.filename)} is a link to nowhere")
    return text.decode()


def _tar_items(source: BinaryIO, size: int) -> Iterator[_Item]:
    limited: Any = _Limited(cast("IO[bytes]", gzip.GzipFile(fileobj=source)))
    # As a stream: it is read once, forwards, and no header can send us back.
    with tarfile.open(fileobj=limited, mode="r|", errorlevel=2) as archive:
        for member in archive:
            yield _tar_item(archive, member)


def _tar_item(archive: tarfile.TarFile, member: tarfile.TarInfo) -> _Item:
    if member.isdir():
        return _Item(member.name, "directory")
    if member.issym():
        return _Item(member.name, "symlink", target=member.linkname)
    if member.islnk():
        return _Item(member.name, "hardlink", target=member.linkname)
    if not member.isreg():
        raise _invalid(f"{_shown(member.name)} is neither a file nor a folder")
    return _Item(member.name, "file", bool(member.mode & stat.S_IXUSR), read=lambda: _content(archive, member))


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    opened = archive.extractfile(member)
    if opened is None:
        raise _invalid(f"{_shown(member.name)} has no content")
    return opened


class _Limited:
    """A stream that refuses to go on for ever: a header may claim any length, and is read as a whole."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._left = FOLDER_LIMIT + COUNT_LIMIT * 2048

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(min(size, _CHUNK) if size >= 0 else _CHUNK)
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(f"unpacked it has more than {FOLDER_LIMIT // 2**20} MB")
        return data


def archive_pack(folder: Path, target: IO[bytes]) -> None:
    """Write the folder as tar.gz: the same files always give the same bytes."""
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for entry in sorted(walk(folder), key=lambda entry: entry.relative.encode()):
            info = tarfile.TarInfo(entry.relative)
            info.size = entry.status.st_size
            info.mode = 0o755 if entry.status.st_mode & stat.S_IXUSR else 0o644
            with entry.path.open("rb") as file:
                archive.addfile(info, file)


def _invalid(what: str) -> StudioError:
    hint = "Pack the plugin's folder as zip or tar.gz, with its files at the top or in one folder."
    return StudioError("package_invalid", f"The package cannot be used: {what}.", hint=hint)


def _too_large(what: str) -> StudioError:
    detail = f"The package is too large: {what}."
    return StudioError("package_too_large", detail, hint="Leave out what the plugin does not need.")
