"""Versions in the admin: install a package, go back to an earlier version, remove a plugin and put it back."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from plugins_app.selectors.versions import plugin_versions, removed_plugins
from plugins_app.services.errors import StudioError
from plugins_app.services.installing import package_install_and_load
from plugins_app.services.removal import plugin_remove, plugin_restore
from plugins_app.services.versions import plugin_rollback

from .pages import Pages
from .verbs import back_to, tell, told

__all__ = ["PackagePages"]


class InstallForm(forms.Form):
    """A package, and whether to load it at once."""

    package = forms.FileField(
        label="Package",
        help_text="A zip or tar.gz of one plugin's folder.",
        widget=forms.FileInput(attrs={"accept": ".zip,.tgz,.gz,application/zip,application/gzip"}),
    )
    load = forms.BooleanField(
        label="Load it, or swap to it",
        required=False,
        help_text="Otherwise a version that runs goes on until you press Reload.",
    )


class PackagePages(Pages):
    """Everything about the files of a plugin."""

    def package_urls(self) -> list[URLPattern]:
        """The pages; the site asks who one is before each."""
        guard = self.admin_site.admin_view
        return [
            path("install/", guard(self.install_view), name="plugins_app_plugin_install"),
            path("removed/", guard(self.removed_view), name="plugins_app_plugin_removed"),
            path("<path:plugin_id>/versions/", guard(self.versions_view), name="plugins_app_plugin_versions"),
            path("<path:plugin_id>/remove/", guard(self.remove_view), name="plugins_app_plugin_remove"),
        ]

    def install_view(self, request: HttpRequest) -> HttpResponse:
        """Upload a package."""
        self.require_operator(request)
        form = InstallForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid() and (plugin_id := self._install(request, form.cleaned_data)):
            return back_to(plugin_id)
        return self.page(request, "install", "Install a package", form=form)

    def _install(self, request: HttpRequest, given: dict[str, Any]) -> str | None:
        """The plugin that is installed now; None when there is none."""
        package = given["package"]
        try:
            installed, result = package_install_and_load(
                source=package.file, name=package.name, load=given["load"], user=request.user
            )
        except StudioError as error:
            told(request, str(error.extra.get("plugin_id") or package.name), error)
            return error.extra.get("plugin_id")
        done = f"{installed.version} is installed{' and loaded' if given['load'] else ''}"
        tell(request, installed.plugin_id, done, lambda: result)
        return installed.plugin_id

    def versions_view(self, request: HttpRequest, plugin_id: str) -> HttpResponse:
        """Versions and releases; a POST goes back to one of them."""
        plugin = self.operated(request, plugin_id)
        if request.method == "POST":
            target: dict[str, Any] = {"digest": request.POST.get("digest") or None}
            if request.POST.get("generation"):
                target = {"generation": int(request.POST["generation"])}
            tell(
                request,
                plugin.id,
                "is back",
                partial(plugin_rollback, plugin_id=plugin.id, user=request.user, **target),
            )
            return HttpResponseRedirect(request.path)
        told_releases = plugin_versions(plugin)
        explained = dict(plugin.releases.values_list("generation", "explanation"))
        for row in told_releases["releases"]:
            row["explanation"] = explained.get(row["generation"]) or []
        return self.page(
            request,
            "versions",
            f"{plugin.card['name']}: versions",
            original=plugin,
            here="Versions",
            **told_releases,
        )

    def remove_view(self, request: HttpRequest, plugin_id: str) -> HttpResponse:
        """Ask, then remove; the message brings it back."""
        plugin = self.operated(request, plugin_id)
        if request.method != "POST":
            title = f"Remove {plugin.card['name']}?"
            return self.page(request, "confirm_remove", title, original=plugin, here="Remove")
        try:
            plugin_remove(plugin_id=plugin.id, user=request.user)
        except StudioError as error:
            told(request, plugin.id, error)
            return back_to(plugin.id)
        undo = format_html('<a href="{}">Put it back</a>', reverse("admin:plugins_app_plugin_removed"))
        messages.success(request, format_html("“{}” is removed. {}", plugin.id, undo))
        return HttpResponseRedirect(reverse("admin:plugins_app_plugin_changelist"))

    def removed_view(self, request: HttpRequest) -> HttpResponse:
        """What was removed; a POST puts one back."""
        self.require_operator(request)
        if request.method == "POST":
            plugin_id = request.POST.get("plugin_id", "")
            change = partial(plugin_restore, plugin_id=plugin_id, user=request.user)
            return (
                back_to(plugin_id)
                if tell(request, plugin_id, "is back", change)
                else HttpResponseRedirect(request.path)
            )
        return self.page(request, "removed", "Removed plugins", plugins=removed_plugins(), here="Removed")
