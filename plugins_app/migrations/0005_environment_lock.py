from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('plugins_app', '0004_lifecycle'),
    ]

    operations = [
        migrations.AddField(
            model_name='pluginenvironment',
            name='lock',
            field=models.TextField(blank=True),
        ),
    ]
