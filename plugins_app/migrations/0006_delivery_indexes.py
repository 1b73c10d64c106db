from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('plugins_app', '0005_environment_lock'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['webhook', '-created_at'], name='delivery_log'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['created_at'], name='delivery_age'),
        ),
    ]
