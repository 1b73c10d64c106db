"""Packages and the way they are uploaded, for tests."""

from __future__ import annotations

import io
import tarfile
import uuid
import zipfile
from collections.abc import Mapping, Sequence

from tests.studio import Client, Response

__all__ = ["manifest", "tar_gz", "upload", "zipped"]

_MANIFEST = """
[plugin]
id = "{plugin_id}"
name = "Sent"
version = "{version}"
author = "Ada"
description = "Came as a package."
type = "tool"
entry = "plugin:Made"
"""


def manifest(plugin_id: str, version: str = "1.0.0", more: str = "") -> str:
    """The text of a `plugin.toml`."""
    return _MANIFEST.format(plugin_id=plugin_id, version=version) + more


def zipped(files: Mapping[str, str]) -> bytes:
    """A zip of these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made.getvalue()


def tar_gz(files: Mapping[str, str]) -> bytes:
    """A tar.gz of these files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return made.getvalue()


def upload(client: Client, package: bytes, name: str = "plugin.zip", **fields: str | Sequence[str]) -> Response:
    """POST a package to the studio, as a form does."""
    import urllib.error
    import urllib.request

    boundary = uuid.uuid4().hex
    body = io.BytesIO()
    for key, value in fields.items():
        for one in [value] if isinstance(value, str) else value:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{one}\r\n'
            body.write(head.encode())
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="package"; filename="{name}"\r\n'
    body.write(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + package)
    body.write(f"\r\n--{boundary}--\r\n".encode())
    headers = {**client.headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
    request = urllib.request.Request(
        f"{client.url}/api/plugins/install", data=body.getvalue(), headers=headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return Response(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, error.headers, error.read())
