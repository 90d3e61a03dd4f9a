import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0021_units_of_deadlines'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='routingrule',
            name='examples',
            field=models.JSONField(blank=True, default=list, verbose_name='examples'),
        ),
        migrations.AddField(
            model_name='routingrule',
            name='version',
            field=models.PositiveIntegerField(default=1, verbose_name='version'),
        ),
        migrations.AddField(
            model_name='routingrule',
            name='words',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, default=list, size=None, verbose_name='words'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('ended_at__isnull', True), ('handler__isnull', False)), fields=['handler'], name='open_by_handler'),
        ),
        migrations.CreateModel(
            name='RuleTable',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(null=True, verbose_name='number')),
                ('rules', models.JSONField(default=list, verbose_name='rules')),
                ('based_on', models.PositiveIntegerField(default=0)),
                ('made_at', models.DateTimeField(verbose_name='made at')),
                ('made_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='made by')),
            ],
            options={
                'verbose_name': 'table of routing rules',
                'verbose_name_plural': 'tables of routing rules',
                'ordering': ['-number'],
                'constraints': [models.UniqueConstraint(fields=('number',), name='rule_table_once_and_one_draft', nulls_distinct=False)],
            },
        ),
    ]
