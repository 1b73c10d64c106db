"""Archives as strangers may send them: good ones are unpacked, all others refused, and nothing is written outside."""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from plugins_app.services import archives
from plugins_app.services.archives import archive_pack, archive_unpack
from plugins_app.services.errors import StudioError

Put = Callable[..., None]


def tar_of(fill: Callable[[tarfile.TarFile], None]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        fill(archive)
    return made.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, linkname, size
    return info


def tar_with(*members: tarfile.TarInfo) -> bytes:
    def fill(archive: tarfile.TarFile) -> None:
        for info in (member("plugin.toml", size=2), *members):
            archive.addfile(info, io.BytesIO(b"x" * info.size))

    return tar_of(fill)


def zip_with(*names: str | zipfile.ZipInfo, content: bytes = b"x", **options: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", **options) as archive:  # type: ignore[call-overload]
        for name in ("plugin.toml", *names):
            archive.writestr(name, content)
    return made.getvalue()


def zip_info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def encrypted() -> bytes:
    data = bytearray(zip_with())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def lying_about_its_size() -> bytes:
    """A zip whose headers say 1 byte, and whose content is larger."""
    data = bytearray(zip_with("big", content=b"y" * 5_000, compression=zipfile.ZIP_DEFLATED))
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 1)
    return bytes(data)


def two_names() -> bytes:
    """The list of files says another name than the file itself."""
    data = bytearray(zip_with("same"))
    at = data.rindex(b"same")
    data[at : at + 4] = b"othr"
    return bytes(data)


HOSTILE = {
    "an absolute path, tar": (tar_with(member("/etc/passwd")), "absolute"),
    "an absolute path, zip": (zip_with("/etc/passwd"), "absolute"),
    "a drive letter": (zip_with("C:evil"), "absolute"),
    "a way up, tar": (tar_with(member("../evil")), "leads out"),
    "a way up, zip": (zip_with("a/../../evil"), "leads out"),
    "a way up that stays in": (zip_with("a/../b"), "leads out"),
    "backslashes": (zip_with("..\\evil"), "not a file's name"),
    "a NUL": (zip_with(zip_info("a", stat.S_IFREG | 0o644), "bXevil").replace(b"bXevil", b"b\0evil"), "not a file's"),
    "a newline in a name": (tar_with(member("a\nb")), "not a file's name"),
    "a symlink out": (tar_with(member("l", tarfile.SYMTYPE, "../../etc/passwd")), "leads out"),
    "an absolute symlink": (tar_with(member("l", tarfile.SYMTYPE, "/etc/passwd")), "leads out"),
    "a symlink out, zip": (zip_with(zip_info("l", stat.S_IFLNK | 0o777), content=b"../../x"), "leads out"),
    "a symlink to a folder": (tar_with(member("d", tarfile.DIRTYPE), member("l", tarfile.SYMTYPE, "d")), "to a file"),
    "a symlink to a symlink": (
        tar_with(member("a", tarfile.SYMTYPE, "plugin.toml"), member("b", tarfile.SYMTYPE, "a")),
        "to a file",
    ),
    "a file below a symlink": (tar_with(member("l", tarfile.SYMTYPE, "."), member("l/evil")), "twice"),
    "a hard link out": (tar_with(member("l", tarfile.LNKTYPE, "../../etc/passwd")), "leads out"),
    "a hard link to nothing": (tar_with(member("l", tarfile.LNKTYPE, "later"), member("later")), "no file before"),
    "a device": (tar_with(member("sda", tarfile.BLKTYPE)), "neither a file nor a folder"),
    "a pipe": (tar_with(member("pipe", tarfile.FIFOTYPE)), "neither a file nor a folder"),
    "a pipe, zip": (zip_with(zip_info("p", stat.S_IFIFO | 0o644)), "neither a file nor a folder"),
    "a name twice, tar": (tar_with(member("a"), member("a")), "twice"),
    "a name twice, by another spelling": (tar_with(member("a"), member("./a")), "twice"),
    "two names that differ in case": (zip_with("README", "Readme"), "differ only"),
    "two folders that differ in case": (zip_with("A/x", "a/y"), "differ only"),
    "two forms of one letter": (zip_with("\u00e9", "e\u0301"), "differ only"),
    "a file that is a folder too": (zip_with("a", "a/b"), "twice"),
    "an encrypted zip": (encrypted(), "encrypted"),
    "an odd compression": (zip_with("a", compression=zipfile.ZIP_BZIP2), "not supported"),
    "two names for one file": (two_names(), "damaged"),
    "a lie about the size": (lying_about_its_size(), "damaged"),
    "too deep": (zip_with("/".join("d" * 40)), "too deep"),
    "too long a name": (zip_with("n" * 300), "too long"),
    "no archive": (b"MZ\x90\x00 no archive", "neither a zip nor"),
    "nothing": (b"", "neither a zip nor"),
    "a plain tar": (gzip.decompress(tar_with()), "neither a zip nor"),
    "half a tar": (tar_with(member("a", size=50_000))[:-40], "damaged"),
    "half a zip": (zip_with()[:-30], "damaged"),
    "gzip of nonsense": (gzip.compress(b"nonsense" * 999), "damaged"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_refused_with_the_reason(tmp_path: Path, what: str) -> None:
    data, words = HOSTILE[what]
    with pytest.raises(StudioError) as refused:
        archive_unpack(io.BytesIO(data), tmp_path / "inner" / "out")
    assert refused.value.code == "package_invalid"
    assert words in refused.value.detail, refused.value.detail
    assert {path.name for path in tmp_path.iterdir()} == {"inner"}
    assert {path.name for path in (tmp_path / "inner").iterdir()} == {"out"}


def many(count: int) -> bytes:
    return zip_with(*(f"f{number}" for number in range(count)), content=b"")


def zeros(size: int) -> bytes:
    def fill(archive: tarfile.TarFile) -> None:
        info = member("zeros", size=size)
        with open("/dev/zero", "rb") as source:
            archive.addfile(info, source)

    return tar_of(fill)


def long_header() -> bytes:
    """A header whose own length is claimed to be 200 MB."""
    info = member("pax", tarfile.XHDTYPE, size=200 * 2**20)
    return gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(200 * 2**20), 1)


TOO_LARGE = {
    "too many entries, zip": (lambda: many(6_000), "5000 entries"),
    "too many entries, tar": (lambda: tar_with(*(member(f"f{n}") for n in range(6_000))), "5000 entries"),
    "zeros that shrink well": (lambda: zeros(40 * 2**20), "times as large"),
    "a file that is too large": (lambda: zeros(60 * 2**20), "times as large"),
    "a huge header": (long_header, "more than 100 MB"),
}


@pytest.mark.parametrize("what", TOO_LARGE)
def test_a_bomb_is_refused_while_it_is_unpacked(tmp_path: Path, what: str) -> None:
    make, words = TOO_LARGE[what]
    with pytest.raises(StudioError) as refused:
        archive_unpack(io.BytesIO(make()), tmp_path / "out")
    assert (refused.value.code, refused.value.status) == ("package_too_large", 413)
    assert words in refused.value.detail, refused.value.detail
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= 52 * 2**20


def test_one_large_file_is_too_large_also_when_it_does_not_shrink(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FILE_LIMIT", 1000)
    with pytest.raises(StudioError, match="big has more than"):
        archive_unpack(io.BytesIO(tar_with(member("big", size=2000))), tmp_path / "out")


def test_hard_links_count_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FOLDER_LIMIT", 10_000)
    links = (member(f"l{number}", tarfile.LNKTYPE, "a") for number in range(9))
    with pytest.raises(StudioError, match="unpacked it has more"):
        archive_unpack(io.BytesIO(tar_with(member("a", size=2_000), *links)), tmp_path / "out")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_good_archive_is_unpacked(tmp_path: Path, kind: str) -> None:
    if kind == "tar":
        data = tar_with(
            member("./sub", tarfile.DIRTYPE),
            member("./sub/a", size=3),
            member("same", tarfile.LNKTYPE, "./sub/a"),
            member("sub/l", tarfile.SYMTYPE, "../plugin.toml"),
            member("__pycache__/x.pyc", size=1),
        )
    else:
        link = zip_info("sub/l", stat.S_IFLNK | 0o777)
        data = zip_with("sub/", "sub/a", "same", "__MACOSX/sub/._a", "sub/.DS_Store")
        made = io.BytesIO(data)
        with zipfile.ZipFile(made, "a") as archive:
            archive.writestr(link, "../plugin.toml")
            archive.writestr(zip_info("run.sh", stat.S_IFREG | stat.S_ISUID | 0o755), "x")
        data = made.getvalue()
    archive_unpack(io.BytesIO(data), tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")}
    assert found - {"run.sh"} == {"plugin.toml", "sub", "sub/a", "sub/l", "same"}
    assert (tmp_path / "out/sub/l").read_text() == (tmp_path / "out/plugin.toml").read_text()
    if kind == "zip":
        assert stat.S_IMODE((tmp_path / "out/run.sh").stat().st_mode) == 0o755


def test_packing_gives_the_same_bytes_whatever_the_times_and_the_order(tmp_path: Path) -> None:
    packed: list[bytes] = []
    for order in (("b", "a"), ("a", "b")):
        folder = tmp_path / order[0]
        (folder / "sub").mkdir(parents=True)
        for name in order:
            (folder / "sub" / name).write_text(name)
            os.utime(folder / "sub" / name, (len(packed), len(packed)))
        (folder / "sub" / "a").chmod(0o755)
        made = io.BytesIO()
        archive_pack(folder, made)
        packed.append(made.getvalue())
    assert packed[0] == packed[1]
    archive_unpack(io.BytesIO(packed[0]), tmp_path / "out")
    assert (tmp_path / "out/sub/a").stat().st_mode & stat.S_IXUSR
