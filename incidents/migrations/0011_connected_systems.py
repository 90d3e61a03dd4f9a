"""Connected systems and their keys; which items of the catalogue the public may see."""

import core.fields
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0010_deadlines_do_not_climb'),
    ]

    operations = [
        migrations.CreateModel(
            name='System',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, unique=True, verbose_name='name')),
                ('contact', core.fields.EncryptedTextField(blank=True, default='', help_text='Who looks after it over there.', verbose_name='contact')),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('report', 'Send reports'), ('update', 'Send updates about its own reports')], max_length=10), blank=True, default=list, size=None, verbose_name='rights')),
                ('daily_quota', models.PositiveIntegerField(default=1000, verbose_name='calls a day')),
                ('active', models.BooleanField(default=True, verbose_name='active')),
                ('key_hash', models.CharField(editable=False, max_length=64, null=True, unique=True)),
                ('key_hint', models.CharField(blank=True, editable=False, max_length=8)),
                ('key_made_at', models.DateTimeField(editable=False, null=True, verbose_name='key made at')),
                ('namespace', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='added at')),
            ],
            options={
                'verbose_name': 'connected system',
                'verbose_name_plural': 'connected systems',
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('daily_quota__gt', 0)), name='system_quota_positive')],
            },
        ),
        migrations.CreateModel(
            name='SentCase',
            fields=[
                ('incident', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='sent', serialize=False, to='incidents.incident')),
                ('external_id', models.CharField(blank=True, max_length=64, verbose_name='number over there')),
                ('for_public', models.BooleanField(default=False)),
                ('system', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sent', to='incidents.system', verbose_name='connected system')),
            ],
            options={
                'verbose_name': 'case of another system',
                'verbose_name_plural': 'cases of other systems',
                'constraints': [models.UniqueConstraint(condition=models.Q(('external_id', ''), _negated=True), fields=('system', 'external_id'), name='sent_case_once_per_number')],
            },
        ),
        migrations.CreateModel(
            name='SystemDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('calls', models.PositiveIntegerField(default=0, verbose_name='calls')),
                ('refused', models.PositiveIntegerField(default=0, verbose_name='refused')),
                ('last_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='last call')),
                ('system', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='days', to='incidents.system')),
            ],
            options={
                'verbose_name': 'day of a system',
                'verbose_name_plural': 'days of systems',
                'constraints': [models.UniqueConstraint(fields=('system', 'day'), name='system_day_once')],
            },
        ),
        migrations.AddField(
            model_name='category',
            name='publication',
            field=models.CharField(blank=True, choices=[('', 'Not published'), ('area', 'With its grid'), ('place', 'With its place')], default='', help_text="Only for things in public space. Residents' words are never published.", max_length=5, verbose_name='shown to the public'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['at'], name='event_by_time'),
        ),
    ]
