"""`/api/plugins`: what is on the disk: packages, versions, removing and putting back."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.selectors.versions import plugin_versions, removed_plugins
from plugins_app.services import cancelling, installing, removal, versions
from plugins_app.services.changes import find_plugin
from plugins_app.services.discovery import plugins_discover

from .base import documented
from .cards import PluginCards
from .codes import BLOCKED, FAILED, OPERATORS
from .plans import SwappedSerializer
from .serializers import PluginSerializer, Strict
from .uploads import PackageParser

__all__ = ["PACKAGE_ACTIONS", "PackageActions"]

#: For operators only.
PACKAGE_ACTIONS = frozenset({"install", "cancel", "versions", "rollback", "destroy", "restore", "removed"})


class InstallRequest(Strict):
    package = serializers.FileField(help_text="a zip or tar.gz of one plugin's folder")
    load = serializers.BooleanField(default=False)
    grant = serializers.ListField(child=serializers.CharField(max_length=255), required=False)


class InstalledSerializer(serializers.Serializer):
    digest = serializers.CharField()
    version = serializers.CharField(allow_blank=True)
    replaced = serializers.CharField(allow_null=True, help_text="the digest of what was there before")


class InstallSerializer(PluginSerializer):
    installed = InstalledSerializer()


class RollbackRequest(Strict):
    digest = serializers.CharField(required=False, max_length=64, help_text="whole, or at least its first 8 characters")
    generation = serializers.IntegerField(required=False, min_value=1)


class VersionSerializer(serializers.Serializer):
    digest = serializers.CharField()
    version = serializers.CharField(allow_blank=True)
    source = serializers.ChoiceField(choices=("folder", "package"))  # type: ignore[assignment]  # as the row names it
    size_bytes = serializers.IntegerField(allow_null=True)
    found_at = serializers.DateTimeField()
    serving = serializers.BooleanField()
    newest = serializers.BooleanField(help_text="what the folder holds now")
    in_store = serializers.BooleanField(help_text="whether this node has its files")


class FailureSerializer(serializers.Serializer):
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)


class ReleaseSerializer(serializers.Serializer):
    generation = serializers.IntegerField()
    digest = serializers.CharField()
    version = serializers.CharField(allow_blank=True)
    cause = serializers.CharField()
    by = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()
    committed_at = serializers.DateTimeField(allow_null=True)
    failure = FailureSerializer(allow_null=True)
    serving = serializers.BooleanField()


class VersionsSerializer(serializers.Serializer):
    versions = VersionSerializer(many=True)
    releases = ReleaseSerializer(many=True)


class RemovedSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField(allow_blank=True)
    removed_at = serializers.DateTimeField()
    forgotten_at = serializers.DateTimeField()


class PackageActions(PluginCards):
    """The part of the plugin viewset that is about files."""

    @documented(
        "Install a package",
        description="It is checked like a folder and put into the plugins folder in one step; the folder that was "
        "there goes to the trash. With `load` it is loaded too, or swapped to.",
        request={"multipart/form-data": InstallRequest},
        answers={201: InstallSerializer, 202: InstallSerializer},
        codes=("package_invalid", "package_too_large", "disk_full", "invalid", *BLOCKED, *FAILED, *OPERATORS),
    )
    @action(detail=False, methods=["post"], parser_classes=[PackageParser])
    def install(self, request: Request) -> Response:
        given = self.parsed(InstallRequest, request)
        package = given["package"]
        installed, result = installing.package_install_and_load(
            source=package.file,
            name=package.name or "",
            load=given["load"],
            grant=given.get("grant") or (),
            user=request.user,
        )
        response = self.settled(result, installed=installed.to_dict())
        response.status_code = 201 if result.settled else 202
        response["Location"] = response.data["links"]["self"]
        return response

    @documented(
        "Cancel the installation of packages that a change waits for",
        answers={200: PluginSerializer},
        codes=("plugin_not_found", "nothing_to_cancel", *OPERATORS),
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, plugin_id: str) -> Response:
        cancelling.plugin_cancel(plugin_id=plugin_id, user=request.user)
        return Response(self.card(plugin_id))

    @documented(
        "Versions and releases",
        description="Newest first, the last 200 of each.",
        answers={200: VersionsSerializer},
        codes=("plugin_not_found", *OPERATORS),
    )
    @action(detail=True)
    def versions(self, request: Request, plugin_id: str) -> Response:
        return Response(VersionsSerializer(plugin_versions(find_plugin(plugin_id))).data)

    @documented(
        "Go back to an earlier version or release",
        description="By `digest` the stored configuration stays; by `generation` that release's comes back as well. "
        "Without either: the last release that served with other files or another configuration.",
        request=RollbackRequest,
        answers={200: SwappedSerializer, 202: SwappedSerializer},
        codes=(
            *("plugin_not_found", "version_not_found", "nothing_to_roll_back", "not_loaded", "digest_missing"),
            *("invalid", "config_invalid", *BLOCKED, *FAILED, *OPERATORS),
        ),
    )
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, plugin_id: str) -> Response:
        given = self.parsed(RollbackRequest, request)
        result = versions.plugin_rollback(plugin_id=plugin_id, user=request.user, **given)
        return self.settled(result, old=result.old, new=result.new, changes=result.changes)

    @documented(
        "Remove a plugin",
        description="Its folder goes to the trash, and all that belongs to it is kept for 30 days. `Link` says how to "
        "put it back.",
        answers={204: None},
        codes=("plugin_not_found", "still_loaded", "disk_full", *OPERATORS),
    )
    def destroy(self, request: Request, plugin_id: str) -> Response:
        removal.plugin_remove(plugin_id=plugin_id, user=request.user)
        return Response(status=204, headers={"Link": f'</api/plugins/{plugin_id}/restore>; rel="restore"'})

    @documented(
        "Put a removed plugin back",
        description="With its folder, configuration, permissions, storage and versions. It is not loaded.",
        answers={200: PluginSerializer},
        codes=("plugin_not_found", "not_removed", "folder_taken", "disk_full", *OPERATORS),
    )
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, plugin_id: str) -> Response:
        removal.plugin_restore(plugin_id=plugin_id, user=request.user)
        plugins_discover()
        return Response(self.card(plugin_id))

    @documented("Removed plugins that can be put back", answers={200: RemovedSerializer(many=True)}, codes=OPERATORS)
    @action(detail=False)
    def removed(self, request: Request) -> Response:
        plugins_discover()
        page = self.paginate_queryset(removed_plugins())
        return self.get_paginated_response(RemovedSerializer(page, many=True).data)
