from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def remember_what_is_stored(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A release from before this migration that fails leaves what is stored as it is."""
    release, plugin = apps.get_model("plugins_app", "PluginRelease"), apps.get_model("plugins_app", "Plugin")
    own = plugin.objects.filter(pk=models.OuterRef("plugin_id"))
    release.objects.update(
        previous_config=models.Subquery(own.values("config")[:1]),
        previous_granted=models.Subquery(own.values("granted")[:1]),
    )


class Migration(migrations.Migration):
    dependencies = [("plugins_app", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="pluginrelease",
            name="previous_config",
            field=models.JSONField(default=dict, help_text="what was stored before; secrets encrypted"),
        ),
        migrations.AddField(
            model_name="pluginrelease",
            name="previous_granted",
            field=models.JSONField(default=list),
        ),
        migrations.RunPython(remember_what_is_stored, migrations.RunPython.noop),
    ]
