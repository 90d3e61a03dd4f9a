"""Timers, outbox, audit trail, working calendar and heartbeats."""

import core.models.calendar
import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('grids', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='CalendarYear',
            fields=[
                ('year', models.IntegerField(primary_key=True, serialize=False, verbose_name='year')),
                ('source', models.CharField(max_length=100, verbose_name='source')),
                ('work_hours', models.JSONField(default=core.models.calendar.default_work_hours, validators=[core.models.calendar.check_work_hours], verbose_name='work hours')),
                ('imported_at', models.DateTimeField(verbose_name='imported at')),
            ],
            options={
                'verbose_name': 'calendar year',
                'verbose_name_plural': 'calendar years',
            },
        ),
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('name', models.CharField(max_length=30, primary_key=True, serialize=False, verbose_name='name')),
                ('at', models.DateTimeField(verbose_name='at')),
            ],
            options={
                'verbose_name': 'heartbeat',
                'verbose_name_plural': 'heartbeats',
            },
        ),
        migrations.CreateModel(
            name='CalendarDay',
            fields=[
                ('date', models.DateField(primary_key=True, serialize=False, verbose_name='date')),
                ('kind', models.CharField(choices=[('off', 'Day off'), ('work', 'Make-up working day')], max_length=4, verbose_name='kind')),
                ('name', models.CharField(blank=True, default='', max_length=50, verbose_name='name')),
                ('year', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='days', to='core.calendaryear', verbose_name='year')),
            ],
            options={
                'verbose_name': 'calendar day',
                'verbose_name_plural': 'calendar days',
                'constraints': [models.CheckConstraint(condition=models.Q(('date__year', models.F('year'))), name='calendar_day_in_its_year'), models.CheckConstraint(condition=models.Q(('kind__in', ['off', 'work'])), name='calendar_day_kind_known')],
            },
        ),
        migrations.CreateModel(
            name='OutboxMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('topic', models.CharField(max_length=50, verbose_name='topic')),
                ('key', models.CharField(max_length=200, unique=True, verbose_name='key')),
                ('payload', models.JSONField(default=dict, verbose_name='payload')),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('in_flight', 'In flight'), ('awaiting_retry', 'Awaiting retry'), ('delivered', 'Delivered'), ('dead', 'Dead')], default='queued', max_length=15, verbose_name='state')),
                ('attempts', models.IntegerField(default=0, verbose_name='attempts')),
                ('next_attempt_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='next attempt at')),
                ('claimed_at', models.DateTimeField(blank=True, null=True, verbose_name='claimed at')),
                ('delivered_at', models.DateTimeField(blank=True, null=True, verbose_name='delivered at')),
                ('last_error', models.TextField(blank=True, default='', verbose_name='last error')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'outgoing message',
                'verbose_name_plural': 'outgoing messages',
                'indexes': [models.Index(condition=models.Q(('state__in', ['queued', 'awaiting_retry'])), fields=['next_attempt_at', 'id'], name='outbox_pending'), models.Index(condition=models.Q(('state', 'in_flight')), fields=['claimed_at'], name='outbox_in_flight'), models.Index(condition=models.Q(('state', 'dead')), fields=['-id'], name='outbox_dead_letters')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'in_flight', 'awaiting_retry', 'delivered', 'dead'])), name='outbox_state_known')],
            },
        ),
        migrations.CreateModel(
            name='Timer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject_type', models.CharField(max_length=20, verbose_name='subject type')),
                ('subject_id', models.BigIntegerField(verbose_name='subject id')),
                ('kind', models.CharField(max_length=30, verbose_name='kind')),
                ('stage', models.CharField(blank=True, default='', max_length=30, verbose_name='stage')),
                ('cycle', models.IntegerField(default=1, verbose_name='cycle')),
                ('due_at', models.DateTimeField(verbose_name='due at')),
                ('fired_at', models.DateTimeField(blank=True, null=True, verbose_name='fired at')),
                ('failures', models.IntegerField(default=0, verbose_name='failures')),
                ('last_error', models.TextField(blank=True, default='', verbose_name='last error')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'timer',
                'verbose_name_plural': 'timers',
                'indexes': [models.Index(condition=models.Q(('fired_at__isnull', True)), fields=['due_at', 'id'], name='timer_unfired'), models.Index(fields=['subject_type', 'subject_id'], name='timer_subject')],
                'constraints': [models.UniqueConstraint(fields=('subject_type', 'subject_id', 'kind', 'stage', 'cycle'), name='timer_fires_once')],
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True, verbose_name='at')),
                ('action', models.CharField(max_length=60, verbose_name='action')),
                ('subject_type', models.CharField(max_length=20, verbose_name='subject type')),
                ('subject_id', models.BigIntegerField(blank=True, null=True, verbose_name='subject id')),
                ('data', models.JSONField(blank=True, default=dict, verbose_name='data')),
                ('ip', models.GenericIPAddressField(blank=True, null=True, verbose_name='IP address')),
                ('actor', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='actor')),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'indexes': [models.Index(fields=['subject_type', 'subject_id', 'id'], name='audit_subject'), models.Index(fields=['actor', 'id'], name='audit_actor')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditentry',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='6b2652b5bb5129424469034ae53d5116f56d3e42', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_97da0', table='core_auditentry', when='BEFORE')),
        ),
    ]
