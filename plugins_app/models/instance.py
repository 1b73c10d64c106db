"""What is seen. A plugin host writes only the rows of its own node."""

from __future__ import annotations

from django.db import models

from plugins_app.states import STATE_CHOICES, PluginState

from .plugin import Plugin

__all__ = ["NodeStatus", "PluginInstance"]


class PluginInstance(models.Model):
    """One plugin on one node.

    `generation` and `digest` are what serves now (None: nothing). `attempted` is the last desired generation the host
    has finished with, well or badly; `error` says why `attempted` is not what serves. `committed` is the last one that
    has passed its soak. `message` says what takes so long, while something does.
    """

    plugin = models.ForeignKey(Plugin, on_delete=models.CASCADE, related_name="instances")
    node = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=STATE_CHOICES, default=PluginState.AVAILABLE)
    generation = models.PositiveIntegerField(null=True)
    attempted = models.PositiveIntegerField(default=0)
    committed = models.PositiveIntegerField(null=True)
    digest = models.CharField(max_length=64, null=True)
    message = models.CharField(max_length=200, blank=True)
    pid = models.PositiveIntegerField(null=True)
    error = models.JSONField(null=True)
    started_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)
    restarts = models.PositiveIntegerField(default=0)
    rss_bytes = models.BigIntegerField(null=True)
    calls = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("plugin_id", "node")
        constraints = (models.UniqueConstraint(fields=("plugin", "node"), name="one_instance_per_node"),)

    def __str__(self) -> str:
        return f"{self.plugin_id} on {self.node}: {self.state}"


class NodeStatus(models.Model):
    """A plugin host, as it reports itself. `place` tells two machines that were given the same name apart."""

    node = models.CharField(primary_key=True, max_length=64)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    place = models.CharField(max_length=64, blank=True, help_text="the data directory it works in, by its own number")
    sandbox = models.JSONField(default=dict, help_text="which protections hold on this machine")

    class Meta:
        verbose_name_plural = "node statuses"

    def __str__(self) -> str:
        return self.node
