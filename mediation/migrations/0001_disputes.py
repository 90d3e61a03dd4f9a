"""Disputes, parties, the file, its timeline and who opened it."""

import core.fields
import datetime
import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('grids', '0001_territory_and_people'),
        ('grids', '__first__'),
        ('incidents', '0001_the_incident'),
    ]

    operations = [
        migrations.CreateModel(
            name='DisputeNumber',
            fields=[
                ('year', models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ('last', models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Dispute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('request_key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('number', models.CharField(max_length=20, unique=True, verbose_name='number')),
                ('title', core.fields.EncryptedTextField(verbose_name='title')),
                ('facts', core.fields.EncryptedTextField(blank=True, default='', verbose_name='facts')),
                ('kind', models.CharField(choices=[('neighbour', 'Neighbours'), ('family', 'Family and inheritance'), ('marriage', 'Marriage'), ('adoption', 'Adoption'), ('identity', 'Parentage and other personal status'), ('land', 'Land and homestead'), ('debt', 'Debt and contract'), ('labour', 'Labour and wages'), ('property', 'Property management'), ('damage', 'Injury and damage'), ('village', 'Village affairs'), ('other', 'Other dispute')], max_length=12, verbose_name='kind of dispute')),
                ('source', models.CharField(choices=[('worker', 'Grid worker'), ('resident', 'Resident'), ('incident', 'Handed over from an incident'), ('joint_meeting', 'Joint meeting'), ('police', 'Police station'), ('court', 'Court'), ('petition', 'Letters and calls office'), ('hotline', 'Hotline 12345'), ('other', 'Other')], max_length=15, verbose_name='source of the clue')),
                ('colour', models.CharField(choices=[('blue', 'Blue: ordinary'), ('yellow', 'Yellow: may grow'), ('red', 'Red: may turn violent or spread')], default='blue', max_length=6, verbose_name='colour')),
                ('activation_risk', models.BooleanField(default=False, verbose_name='risk of activation')),
                ('reported_to_police_at', models.DateTimeField(blank=True, null=True, verbose_name='reported to the police at')),
                ('state', models.CharField(choices=[('registered', 'Registered, waiting for consent'), ('first', 'First mediation by the grid worker'), ('villager', 'Respected villager joins'), ('legal', 'Legal adviser explains the law'), ('panel', "Villagers' panel gives its view"), ('agreed', 'Agreement reached'), ('following_up', 'Performance followed up'), ('closed', 'Performed and closed'), ('failed', 'Ended without agreement'), ('withdrawn', 'Withdrawn')], default='registered', max_length=12, verbose_name='state')),
                ('step', models.PositiveSmallIntegerField(default=0, verbose_name='step')),
                ('registered_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='registered at')),
                ('due_at', models.DateTimeField(verbose_name='due at')),
                ('extensions', models.PositiveSmallIntegerField(default=0, verbose_name='times extended')),
                ('settled_at', models.DateTimeField(blank=True, null=True, verbose_name='settled at')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='ended at')),
                ('overdue_at', models.DateTimeField(blank=True, null=True, verbose_name='overdue since')),
                ('roads_told', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('arbitration', 'Arbitration'), ('administrative', 'Administrative handling or ruling'), ('court', "Lawsuit at the people's court")], max_length=15), blank=True, default=list, size=None, verbose_name='other roads the parties were told of')),
                ('version', models.PositiveIntegerField(default=1)),
                ('last_seq', models.PositiveIntegerField(default=0)),
                ('area', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='grids.area')),
                ('county', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='grids.area')),
                ('grid', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='grids.area')),
                ('incident', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='dispute', to='incidents.incident')),
                ('leader', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='led_disputes', to=settings.AUTH_USER_MODEL)),
                ('registered_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='registered_disputes', to=settings.AUTH_USER_MODEL)),
                ('town', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='grids.area')),
                ('village', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='grids.area')),
            ],
            options={
                'verbose_name': 'dispute',
                'verbose_name_plural': 'disputes',
                'indexes': [models.Index(fields=['county', '-id'], name='dispute_county'), models.Index(fields=['town', '-id'], name='dispute_town'), models.Index(fields=['village', '-id'], name='dispute_village'), models.Index(fields=['grid', '-id'], name='dispute_grid'), models.Index(condition=models.Q(('state__in', ('registered', 'first', 'villager', 'legal', 'panel'))), fields=['county', 'due_at'], name='dispute_mediating')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['neighbour', 'family', 'marriage', 'adoption', 'identity', 'land', 'debt', 'labour', 'property', 'damage', 'village', 'other'])), name='dispute_kind_known'), models.CheckConstraint(condition=models.Q(('colour__in', ['blue', 'yellow', 'red'])), name='dispute_colour_known'), models.CheckConstraint(condition=models.Q(models.Q(('source', 'incident'), _negated=True), ('incident__isnull', False), _connector='OR'), name='dispute_source_incident_names_it'), models.CheckConstraint(condition=models.Q(models.Q(('colour', 'red'), _negated=True), ('leader__isnull', False), _connector='OR'), name='dispute_red_has_leader', violation_error_message='A red dispute needs a leader by name.'), models.CheckConstraint(condition=models.Q(('activation_risk', False), ('reported_to_police_at__isnull', False), _connector='OR'), name='dispute_risk_reported_to_police', violation_error_message='A risk of activation is reported to the police at once.'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'registered'), ('step', 0)), models.Q(('state', 'first'), ('step', 1)), models.Q(('state', 'villager'), ('step', 2)), models.Q(('state', 'legal'), ('step', 3)), models.Q(('state', 'panel'), ('step', 4)), models.Q(('state__in', ('agreed', 'following_up', 'closed')), ('step__gte', 1), ('step__lte', 4)), models.Q(('state__in', ['failed', 'withdrawn']), ('step__gte', 0), ('step__lte', 4)), _connector='OR'), name='dispute_step_fits_state'), models.CheckConstraint(condition=models.Q(models.Q(('settled_at__isnull', False), ('state__in', ('agreed', 'following_up', 'closed'))), models.Q(models.Q(('state__in', ('agreed', 'following_up', 'closed')), _negated=True), ('settled_at__isnull', True)), _connector='OR'), name='dispute_settled_exactly_when_agreed'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', False), ('state__in', ('closed', 'failed', 'withdrawn'))), models.Q(models.Q(('state__in', ('closed', 'failed', 'withdrawn')), _negated=True), ('ended_at__isnull', True)), _connector='OR'), name='dispute_ended_exactly_when_state_says_so'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'failed'), _negated=True), models.Q(('roads_told', []), _negated=True), _connector='OR'), name='dispute_failed_only_with_other_roads_told', violation_error_message='Tell the parties which other roads they have.'), models.CheckConstraint(condition=models.Q(('due_at__gt', models.F('registered_at'))), name='dispute_due_after_registered')],
            },
        ),
        migrations.CreateModel(
            name='Agreement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('form', models.CharField(choices=[('written', 'Written agreement'), ('oral', 'Oral agreement, recorded')], max_length=7, verbose_name='form')),
                ('kind', models.CharField(choices=[('neighbour', 'Neighbours'), ('family', 'Family and inheritance'), ('marriage', 'Marriage'), ('adoption', 'Adoption'), ('identity', 'Parentage and other personal status'), ('land', 'Land and homestead'), ('debt', 'Debt and contract'), ('labour', 'Labour and wages'), ('property', 'Property management'), ('damage', 'Injury and damage'), ('village', 'Village affairs'), ('other', 'Other dispute')], max_length=12)),
                ('parties', core.fields.EncryptedTextField(verbose_name='parties')),
                ('facts', core.fields.EncryptedTextField(verbose_name='main facts')),
                ('responsibilities', core.fields.EncryptedTextField(verbose_name='disputes and responsibilities')),
                ('content', core.fields.EncryptedTextField(verbose_name='content of the agreement')),
                ('manner', core.fields.EncryptedTextField(verbose_name='manner of performance')),
                ('performance_due', models.DateField(verbose_name='term of performance')),
                ('signed_on', models.DateField(verbose_name='date of the agreement')),
                ('party_a_signed', models.BooleanField(default=False, verbose_name='party A has signed')),
                ('party_b_signed', models.BooleanField(default=False, verbose_name='party B has signed')),
                ('mediator_signature', models.CharField(max_length=50, verbose_name='signature of the mediator')),
                ('sealed', models.BooleanField(default=False, verbose_name='sealed by the committee')),
                ('court_confirmation_asked_on', models.DateField(blank=True, null=True, verbose_name='both parties asked the court to confirm it on')),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recorded_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('dispute', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='agreement', to='mediation.dispute')),
            ],
            options={
                'verbose_name': 'mediation agreement',
                'verbose_name_plural': 'mediation agreements',
                'constraints': [models.CheckConstraint(condition=models.Q(('form', 'oral'), models.Q(('party_a_signed', True), ('party_b_signed', True), ('sealed', True), models.Q(('mediator_signature', ''), _negated=True)), _connector='OR'), name='agreement_written_is_signed_and_sealed', violation_error_message="A written agreement needs both parties' signatures, the mediator's and the committee's seal."), models.CheckConstraint(condition=models.Q(('performance_due__gte', models.F('signed_on'))), name='agreement_performed_after_signing', violation_error_message='The term of performance ends after the signing.'), models.CheckConstraint(condition=models.Q(('court_confirmation_asked_on__isnull', True), models.Q(('court_confirmation_asked_on__gte', models.F('signed_on')), ('court_confirmation_asked_on__lte', django.db.models.expressions.CombinedExpression(models.F('signed_on'), '+', models.Value(datetime.timedelta(days=30))))), _connector='OR'), name='agreement_court_within_thirty_days', violation_error_message='A court is asked within 30 days of the agreement.'), models.CheckConstraint(condition=models.Q(('court_confirmation_asked_on__isnull', True), models.Q(('kind__in', ['adoption', 'identity', 'marriage']), _negated=True), _connector='OR'), name='agreement_court_not_for_personal_status', violation_error_message='A court does not confirm agreements on identity, adoption or marriage.')],
            },
        ),
        migrations.CreateModel(
            name='DisputeEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seq', models.PositiveIntegerField()),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('action', models.CharField(max_length=30)),
                ('actor_place', models.CharField(blank=True, max_length=100)),
                ('from_state', models.CharField(blank=True, choices=[('registered', 'Registered, waiting for consent'), ('first', 'First mediation by the grid worker'), ('villager', 'Respected villager joins'), ('legal', 'Legal adviser explains the law'), ('panel', "Villagers' panel gives its view"), ('agreed', 'Agreement reached'), ('following_up', 'Performance followed up'), ('closed', 'Performed and closed'), ('failed', 'Ended without agreement'), ('withdrawn', 'Withdrawn')], max_length=12)),
                ('to_state', models.CharField(blank=True, choices=[('registered', 'Registered, waiting for consent'), ('first', 'First mediation by the grid worker'), ('villager', 'Respected villager joins'), ('legal', 'Legal adviser explains the law'), ('panel', "Villagers' panel gives its view"), ('agreed', 'Agreement reached'), ('following_up', 'Performance followed up'), ('closed', 'Performed and closed'), ('failed', 'Ended without agreement'), ('withdrawn', 'Withdrawn')], max_length=12)),
                ('note', core.fields.EncryptedTextField(blank=True, default='')),
                ('data', models.JSONField(blank=True, default=dict)),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('dispute', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='mediation.dispute')),
            ],
            options={
                'verbose_name': 'timeline row of a dispute',
                'verbose_name_plural': 'timeline of disputes',
                'constraints': [models.UniqueConstraint(fields=('dispute', 'seq'), name='dispute_event_once_per_seq')],
            },
        ),
        migrations.CreateModel(
            name='DisputeMediator',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(default=django.utils.timezone.now, verbose_name='since')),
                ('until', models.DateTimeField(blank=True, null=True, verbose_name='until')),
                ('dispute', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='mediators', to='mediation.dispute')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'named mediator',
                'verbose_name_plural': 'named mediators',
                'constraints': [models.UniqueConstraint(condition=models.Q(('until__isnull', True)), fields=('dispute', 'user'), name='mediator_named_once_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='FileOpening',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('what', models.CharField(choices=[('file', 'Opened the file'), ('contact', 'Saw the parties in full'), ('print', 'Opened the agreement for printing')], max_length=7, verbose_name='what')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='at')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('dispute', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='openings', to='mediation.dispute')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'opening of a file',
                'verbose_name_plural': 'openings of files',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='FollowUp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day of the visit')),
                ('performed', models.CharField(choices=[('yes', 'Performed in full'), ('partly', 'Performed in part'), ('no', 'Not performed')], max_length=6, verbose_name='performance')),
                ('note', core.fields.EncryptedTextField(blank=True, default='', verbose_name='note')),
                ('next_on', models.DateField(blank=True, null=True, verbose_name='next visit on')),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('dispute', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='follow_ups', to='mediation.dispute')),
                ('recorded_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'follow-up visit',
                'verbose_name_plural': 'follow-up visits',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Party',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('side', models.CharField(choices=[('a', 'Party A'), ('b', 'Party B'), ('third', 'Third party')], max_length=5, verbose_name='side')),
                ('name', core.fields.EncryptedTextField(verbose_name='name')),
                ('phone', core.fields.EncryptedTextField(blank=True, default='', verbose_name='phone')),
                ('phone_index', models.CharField(blank=True, db_index=True, editable=False, max_length=64)),
                ('agreed_to_mediation_at', models.DateTimeField(blank=True, null=True, verbose_name='agreed to mediation at')),
                ('stopped_at', models.DateTimeField(blank=True, null=True, verbose_name='stopped the mediation at')),
                ('dispute', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='parties', to='mediation.dispute')),
            ],
            options={
                'verbose_name': 'party',
                'verbose_name_plural': 'parties',
                'ordering': ['side', 'id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('side__in', ['a', 'b', 'third'])), name='party_side_known')],
            },
        ),
        migrations.CreateModel(
            name='StepRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.PositiveSmallIntegerField(verbose_name='step')),
                ('held_at', models.DateTimeField(verbose_name='held at')),
                ('place', models.CharField(max_length=100, verbose_name='place')),
                ('mediator_names', core.fields.EncryptedTextField(verbose_name='who mediated')),
                ('record', core.fields.EncryptedTextField(verbose_name='record')),
                ('outcome', models.CharField(choices=[('settled', 'Settled: an agreement can be written'), ('next', 'Not yet: go to the next step'), ('stopped', 'A party stopped the mediation'), ('failed', 'No agreement: end the mediation')], max_length=8, verbose_name='outcome')),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('dispute', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='step_records', to='mediation.dispute')),
                ('recorded_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'session record',
                'verbose_name_plural': 'session records',
                'ordering': ['id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('step__gte', 1), ('step__lte', 4)), name='step_record_one_of_four'), models.CheckConstraint(condition=models.Q(('outcome', 'next'), ('step', 4), _negated=True), name='step_record_no_step_after_the_fourth')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='disputeevent',
            trigger=pgtrigger.compiler.Trigger(name='dispute_event_is_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='316e24cc87768f2b25a24692bbbaaae69f00f306', operation='UPDATE OR DELETE', pgid='pgtrigger_dispute_event_is_append_only_9a764', table='mediation_disputeevent', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='fileopening',
            trigger=pgtrigger.compiler.Trigger(name='file_opening_is_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='e34b920d18afe04c0ec80c635489fd7e024a8728', operation='UPDATE OR DELETE', pgid='pgtrigger_file_opening_is_append_only_80041', table='mediation_fileopening', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='followup',
            trigger=pgtrigger.compiler.Trigger(name='follow_up_is_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='e03fe7f03d1e27bf3be561a48c4d196b444a3df0', operation='UPDATE OR DELETE', pgid='pgtrigger_follow_up_is_append_only_51bda', table='mediation_followup', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='steprecord',
            trigger=pgtrigger.compiler.Trigger(name='step_record_is_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='06406bccde485acdafdd18fa92e884a362275a7a', operation='UPDATE OR DELETE', pgid='pgtrigger_step_record_is_append_only_2c3b2', table='mediation_steprecord', when='BEFORE')),
        ),
    ]
