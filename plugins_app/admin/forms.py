"""The form of one plugin: its configuration, drawn from its own schema, and what it is granted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_jsonform.exceptions import JSONSchemaValidationError
from django_jsonform.forms.fields import JSONFormField

from plugins_app.models import Plugin
from plugins_app.services.configs import effective, operator_config, require_valid
from plugins_app.services.errors import StudioError
from plugins_app.services.permissions import permissions_asked, permissions_grantable

from .jsonform import config_from_form, coordinates, form_data, form_schema

__all__ = ["PluginForm"]


class _ConfigField(JSONFormField):
    """Checked by the services against the real schema, not by what the page could draw of it."""

    def validate(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise ValidationError("The configuration must be an object.")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(json.loads(data or "{}") != initial)
        except ValueError:
            return True


class PluginForm(forms.ModelForm):
    """Nothing is saved here: the admin hands the cleaned values to the services."""

    config = forms.Field(required=False)
    granted = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Granted",
        help_text="What the plugin asks for. A change counts from its next load on.",
    )

    class Meta:
        model = Plugin
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        card: Mapping[str, Any] = getattr(self.instance, "card", {})
        self.before: Mapping[str, Any] = card.get("config") or {}
        self._draw_config(card)
        metadata = self._metadata()
        asked = list(
            dict.fromkeys([*permissions_asked(metadata), *permissions_grantable(metadata, self.instance.granted)])
        )
        self.fields["granted"].choices = [(name, name) for name in asked]  # type: ignore[attr-defined]
        self.initial["granted"] = [name for name in self.instance.granted if name in asked]
        if not asked:
            del self.fields["granted"]

    def _draw_config(self, card: Mapping[str, Any]) -> None:
        self.drawn = form_schema(card.get("config_schema") or {}, self.before)
        if not self.drawn["properties"]:
            del self.fields["config"]
            return
        self.fields["config"] = _ConfigField(schema=self.drawn, required=False, label="Configuration")
        self.initial["config"] = form_data(self.before, self.drawn)

    def _metadata(self) -> dict[str, Any]:
        release = self.instance.desired or self.instance.waiting
        return release.version.metadata if release else self.instance.metadata

    def clean_config(self) -> dict[str, Any]:
        """The whole configuration as it is to be stored, every error beside its field."""
        config = config_from_form(self.cleaned_data["config"] or {}, self.drawn, self.before)
        release = self.instance.desired or self.instance.waiting
        version = release.version if release else self.instance.version
        if version is None:
            return config
        try:
            stored = operator_config(self.instance, version, config, keep=False)
            require_valid(self.instance.id, version, effective(version, stored))
        except StudioError as error:
            raise self._beside_fields(error) from error
        return config

    def _beside_fields(self, error: StudioError) -> ValidationError:
        found = {coordinates(each["pointer"]): [each["message"]] for each in error.errors}
        field = self.fields["config"]
        assert isinstance(field, _ConfigField)
        field.add_error(found)
        drawn = set(self.drawn["properties"])
        elsewhere = [
            e for e in error.errors if e["pointer"].split("/")[1:2] and e["pointer"].split("/")[1] not in drawn
        ]
        words = "; ".join(f"{each['pointer']}: {each['message']}" for each in elsewhere)
        # The page says already that there is an error below; beside its field is what it is.
        return JSONSchemaValidationError(words if found else error.detail, error_map=found)
