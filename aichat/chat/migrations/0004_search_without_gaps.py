from django.db import migrations

from aichat.chat.migrations import _search


class Migration(migrations.Migration):
    """The index anew: it finds any part of what is written without gaps."""

    dependencies = [
        ("chat", "0003_tool_approvals"),
    ]

    operations = [
        migrations.RunPython(_search.install, migrations.RunPython.noop),
    ]
