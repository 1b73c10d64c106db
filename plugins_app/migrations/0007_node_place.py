from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('plugins_app', '0006_delivery_indexes'),
    ]

    operations = [
        migrations.AddField(
            model_name='nodestatus',
            name='place',
            field=models.CharField(blank=True, help_text='the data directory it works in, by its own number', max_length=64),
        ),
    ]
