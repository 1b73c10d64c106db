"""What plugins there are, and what is wanted of them. Only the service layer writes these rows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

__all__ = ["Plugin", "PluginRelease", "PluginVersion"]


class Plugin(models.Model):
    """A plugin that was found, loaded or not.

    `config` is what the operator stored, secrets encrypted. `desired` is the release that should be serving;
    None means: not loaded. `proven` is the last desired release that was seen serving: what a failed change goes
    back to. `waiting` becomes desired when its environment is ready. `generation` is the highest release number
    ever given out. `fingerprint` is how the folder looked when it was last read, and `node` where that was.
    `removed_at` and `trash`: it was removed, and where its folder lies until it is restored or forgotten.
    """

    id = models.CharField(primary_key=True, max_length=64)
    folder = models.CharField(max_length=255, blank=True)
    version = models.ForeignKey("PluginVersion", null=True, on_delete=models.PROTECT, related_name="+")
    problem = models.JSONField(null=True, blank=True, help_text="why the folder cannot be used, if it cannot")
    config = models.JSONField(default=dict, blank=True)
    config_version = models.PositiveIntegerField(default=1, help_text="the config.version that `config` is written for")
    granted = models.JSONField(default=list, blank=True, help_text="permissions granted, as kind:value")
    generation = models.PositiveIntegerField(default=0)
    desired = models.ForeignKey("PluginRelease", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    proven = models.ForeignKey("PluginRelease", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    waiting = models.ForeignKey("PluginRelease", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    fingerprint = models.CharField(max_length=64, blank=True)
    missing = models.BooleanField(default=False, help_text="the folder is gone")
    node = models.CharField(max_length=64, blank=True, help_text="the node whose folder this is")
    removed_at = models.DateTimeField(null=True, blank=True)
    trash = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("id",)
        permissions = (("operate", "Can manage plugins"),)

    def __str__(self) -> str:
        return self.id

    @property
    def is_removed(self) -> bool:
        """Whether it was removed: hidden, and kept until it is restored or forgotten."""
        return self.removed_at is not None

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of the newest version found; at least id and name."""
        return self.version.metadata if self.version else {"id": self.id, "name": self.id}


class PluginVersion(models.Model):
    """One snapshot of a plugin's files in the store, named by the hash of its content."""

    plugin = models.ForeignKey(Plugin, on_delete=models.CASCADE, related_name="versions")
    digest = models.CharField(max_length=64)
    metadata = models.JSONField(default=dict)
    default_config = models.JSONField(default=dict, help_text="the folder's config.json; secrets encrypted")
    source = models.CharField(max_length=16, default="folder", help_text="folder or package")
    size_bytes = models.BigIntegerField(null=True)
    shared = models.BooleanField(default=False, help_text="packed in the file storage, for nodes that lack it")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (models.UniqueConstraint(fields=("plugin", "digest"), name="one_row_per_digest"),)

    def __str__(self) -> str:
        return f"{self.plugin_id} {self.metadata.get('version', '?')} ({self.digest[:12]})"


class PluginRelease(models.Model):
    """One generation: exactly this snapshot with this configuration and these permissions. Never changed.

    `previous_config`, `previous_config_version` and `previous_granted` are what the plugin's own row gets back when
    this release fails. Releases of one `batch` were asked for together and are taken back together. `explanation`
    says which plugin asked for which version, for all of the batch. `committed_at` is also set when the next change
    came while it served.
    """

    plugin = models.ForeignKey(Plugin, on_delete=models.CASCADE, related_name="releases")
    generation = models.PositiveIntegerField()
    version = models.ForeignKey(PluginVersion, on_delete=models.PROTECT, related_name="releases")
    config = models.JSONField(default=dict, help_text="the whole effective configuration; secrets encrypted")
    granted = models.JSONField(default=list)
    previous_config = models.JSONField(default=dict, help_text="what was stored before; secrets encrypted")
    previous_config_version = models.PositiveIntegerField(default=1)
    previous_granted = models.JSONField(default=list)
    batch = models.UUIDField(null=True, db_index=True)
    explanation = models.JSONField(default=list)
    committed_at = models.DateTimeField(null=True, help_text="when it had passed its soak")
    failure = models.JSONField(null=True, help_text="why it was taken back, if it was")
    cause = models.CharField(max_length=32)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-generation",)
        constraints = (models.UniqueConstraint(fields=("plugin", "generation"), name="one_release_per_generation"),)

    def __str__(self) -> str:
        return f"{self.plugin_id} #{self.generation}"
