"""The shapes of the API: what is accepted, and what the OpenAPI document says about the answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from plugins_app.models import Execution, PluginEnvironment
from plugins_app.sdk import PluginType
from plugins_app.states import STATE_CHOICES

__all__ = [
    "ConfigRequest",
    "DiscoverySerializer",
    "ExecuteRequest",
    "ExecuteResult",
    "ExecutionAccepted",
    "ExecutionSerializer",
    "HealthSerializer",
    "LoadRequest",
    "LoginRequest",
    "MeSerializer",
    "PluginSerializer",
    "ProblemSerializer",
    "ReloadSerializer",
    "Strict",
    "Text",
    "UnloadRequest",
]

TIMEOUT_LIMIT = 600


class JSONObject(serializers.JSONField):
    """A JSON object, and nothing else."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("must be an object")
        return super().to_internal_value(data)


class JSONList(serializers.JSONField):
    """A JSON array, and nothing else."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            raise serializers.ValidationError("must be an array")
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string, and nothing else."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("must be a string")
        return str(super().to_internal_value(data))


class Strict(serializers.Serializer):
    """Refuses fields it does not know: a misspelt option must not be ignored."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError({name: "is not a known field" for name in unknown})
        return super().to_internal_value(data)


class LoadRequest(Strict):
    plugin_id = serializers.CharField(max_length=64)
    config = JSONObject(required=False, allow_null=True)
    grant = serializers.ListField(child=serializers.CharField(max_length=255), required=False)


class UnloadRequest(Strict):
    cascade = serializers.BooleanField(default=False)


class ConfigRequest(Strict):
    config = JSONObject()


class ExecuteRequest(Strict):
    plugin_id = serializers.CharField(max_length=64)
    method = serializers.CharField(max_length=128)
    args = JSONList(required=False, default=list)  # type: ignore[arg-type]  # the stubs know objects only
    kwargs = JSONObject(required=False, default=dict)
    mode = serializers.ChoiceField(choices=("sync", "async"), default="sync")
    timeout = serializers.FloatField(
        required=False, allow_null=True, min_value=0.001, max_value=TIMEOUT_LIMIT, help_text="seconds"
    )
    idempotency_key = serializers.CharField(required=False, allow_null=True, max_length=200)


class LoginRequest(Strict):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class MeSerializer(serializers.Serializer):
    username = serializers.CharField()
    is_operator = serializers.BooleanField()


class FieldErrorSerializer(serializers.Serializer):
    pointer = serializers.CharField(help_text="JSON Pointer (RFC 6901)")
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """An error (RFC 9457). `code` never changes its meaning; docs/errors.md lists all of them."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    hint = serializers.CharField(required=False)
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]  # RFC 9457 names it so


class PluginErrorSerializer(serializers.Serializer):
    code = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    recoverable = serializers.BooleanField()
    hint = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    traceback = serializers.CharField(required=False, help_text="for operators only")


class NodeSerializer(serializers.Serializer):
    node = serializers.CharField()
    state = serializers.ChoiceField(choices=STATE_CHOICES)
    generation = serializers.IntegerField(allow_null=True)
    digest = serializers.CharField(allow_null=True)
    committed = serializers.IntegerField(allow_null=True, help_text="the last generation that has passed its trial")
    message = serializers.CharField(allow_blank=True, help_text="why it takes so long, while something does")
    away = serializers.BooleanField(help_text="the node was not heard of for a while")
    pid = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    restarts = serializers.IntegerField()
    rss_bytes = serializers.IntegerField(allow_null=True)
    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # the row's own name wins over the property
    error = PluginErrorSerializer(allow_null=True)


class DependencySerializer(serializers.Serializer):
    id = serializers.CharField()
    range = serializers.CharField(allow_blank=True)
    optional = serializers.BooleanField()
    satisfied = serializers.BooleanField()
    version = serializers.CharField(allow_null=True, help_text="the version that is loaded or would be chosen")


class AskerSerializer(serializers.Serializer):
    """A plugin that asks for another one, or that another one goes along with."""

    id = serializers.CharField()
    range = serializers.CharField(allow_blank=True)
    version = serializers.CharField(allow_null=True)


class PermissionsSerializer(serializers.Serializer):
    asked = serializers.ListField(child=serializers.CharField())
    granted = serializers.ListField(child=serializers.CharField())


class UsageSerializer(serializers.Serializer):
    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # as above
    rss_bytes = serializers.IntegerField()


class UISerializer(serializers.Serializer):
    entry = serializers.CharField()
    mounts = serializers.ListField(child=serializers.CharField())
    isolation = serializers.ChoiceField(choices=("page", "iframe"))
    config = serializers.DictField(help_text="the effective configuration without its secrets")


class EnvironmentSerializer(serializers.Serializer):
    """The Python packages of its own, on this node."""

    status = serializers.ChoiceField(choices=PluginEnvironment.Status.choices)
    fraction = serializers.FloatField(allow_null=True)
    message = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    size_bytes = serializers.IntegerField(allow_null=True)


class ChangeSerializer(serializers.Serializer):
    """A change that is under way."""

    generation = serializers.IntegerField()
    cause = serializers.CharField()
    by = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=("installing", "starting"))


class LinksSerializer(serializers.Serializer):
    self = serializers.CharField()


class TrialSerializer(serializers.Serializer):
    """A generation on trial: if it fails before then, the one before it comes back by itself."""

    generation = serializers.IntegerField()
    until = serializers.DateTimeField()


class PluginSerializer(serializers.Serializer):
    """A plugin. `config` and `config_schema` are for operators only; secrets are masked."""

    id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField(allow_blank=True)
    author = serializers.CharField(allow_blank=True)
    description = serializers.CharField(allow_blank=True)
    type = serializers.ChoiceField(choices=[str(kind) for kind in PluginType], allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    license = serializers.CharField(allow_blank=True)
    homepage = serializers.CharField(allow_null=True)
    repository = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=STATE_CHOICES)
    nodes = NodeSerializer(many=True)
    config = serializers.JSONField(required=False)
    config_schema = serializers.JSONField(required=False)
    config_version = serializers.IntegerField(help_text="the config.version that what is stored is written for")
    digest = serializers.CharField(allow_null=True)
    generation = serializers.IntegerField(allow_null=True)
    dependencies = DependencySerializer(many=True)
    dependents = serializers.ListField(child=serializers.CharField())
    required_by = AskerSerializer(many=True, help_text="the loaded plugins that cannot do without this one")
    permissions = PermissionsSerializer()
    last_error = PluginErrorSerializer(allow_null=True)
    usage = UsageSerializer()
    ui = UISerializer(allow_null=True)
    environment = EnvironmentSerializer(allow_null=True)
    change = ChangeSerializer(allow_null=True)
    soak = TrialSerializer(allow_null=True)
    message = serializers.CharField(allow_blank=True, help_text="why it takes long, while it does")
    links = LinksSerializer()


class GenerationSerializer(serializers.Serializer):
    generation = serializers.IntegerField()
    digest = serializers.CharField()


class ReloadSerializer(PluginSerializer):
    old = GenerationSerializer()
    new = GenerationSerializer()


class ExecuteResult(serializers.Serializer):
    result = serializers.JSONField()
    duration_ms = serializers.FloatField()
    generation = serializers.IntegerField()


class ExecutionAccepted(serializers.Serializer):
    execution_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Execution.Status.choices)


class ProgressSerializer(serializers.Serializer):
    fraction = serializers.FloatField(allow_null=True)
    message = serializers.CharField(allow_blank=True)


class ExecutionSerializer(serializers.ModelSerializer):
    """One execution and what became of it."""

    plugin_id = serializers.CharField()
    progress = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    duration_ms = serializers.SerializerMethodField()

    class Meta:
        model = Execution
        fields = (
            "id",
            "plugin_id",
            "method",
            "status",
            "progress",
            "result",
            "error",
            "generation",
            "created_at",
            "started_at",
            "finished_at",
            "duration_ms",
        )

    def get_progress(self, row: Execution) -> dict[str, Any]:
        return {"fraction": row.fraction, "message": row.message}

    def get_error(self, row: Execution) -> dict[str, Any] | None:
        """The error; its traceback is for operators only."""
        if row.error is None:
            return None
        return {key: value for key, value in row.error.items() if key != "traceback" or self.context.get("operator")}

    def get_duration_ms(self, row: Execution) -> float | None:
        if row.started_at is None or row.finished_at is None:
            return None
        return (row.finished_at - row.started_at).total_seconds() * 1000


class DiscoverySerializer(serializers.Serializer):
    found = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())
    broken = serializers.ListField(child=serializers.CharField())
    missing = serializers.ListField(child=serializers.CharField())


class ComponentSerializer(serializers.Serializer):
    ok = serializers.BooleanField()
    detail = serializers.CharField(required=False)


class HealthSerializer(serializers.Serializer):
    status = serializers.ChoiceField(choices=("ok", "down"))
    components = serializers.DictField(child=ComponentSerializer())
    plugins = serializers.DictField(child=serializers.ChoiceField(choices=STATE_CHOICES), required=False)
