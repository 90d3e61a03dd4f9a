"""Tasks of split cases, standing orders, channels of rungs, a cap on extensions, units."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
import grids.models.area
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("grids", "0016_boundary_import_forgets_done"),
        ("incidents", "0019_inspections"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="EmergencyCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("police", "Police 110"),
                            ("fire", "Fire 119"),
                            ("medical", "Ambulance 120"),
                            ("other", "Any other emergency"),
                        ],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(verbose_name="order of calling")),
                (
                    "role",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("unit_head", "Ten-household head"),
                            ("grid_worker", "Grid worker"),
                            ("grid_chief", "Grid chief"),
                            ("grid_guide", "Grid guide"),
                            ("village_office", "Village office"),
                            ("town_admin", "Town admin"),
                            ("department_handler", "Department handler"),
                            ("command", "Command centre"),
                            ("county_leader", "County leader"),
                            ("mediator", "Mediator"),
                            ("system_admin", "System administrator"),
                            ("audit_admin", "Audit administrator"),
                            ("security_admin", "Security administrator"),
                        ],
                        max_length=20,
                        verbose_name="post",
                    ),
                ),
                (
                    "channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=10),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                ("seconds", models.PositiveIntegerField()),
                (
                    "called_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="called at"),
                ),
                ("nobody", models.BooleanField(default=False, verbose_name="nobody held the post")),
                (
                    "acknowledged_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="acknowledged at"),
                ),
            ],
            options={
                "verbose_name": "emergency call",
                "verbose_name_plural": "emergency calls",
                "ordering": ["kind", "position"],
            },
        ),
        migrations.CreateModel(
            name="StandingOrder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("police", "Police 110"),
                            ("fire", "Fire 119"),
                            ("medical", "Ambulance 120"),
                            ("other", "Any other emergency"),
                        ],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                (
                    "valid_from",
                    models.DateField(default=django.utils.timezone.localdate, verbose_name="from"),
                ),
                (
                    "valid_to",
                    models.DateField(
                        blank=True,
                        help_text="The first day it does not hold any more.",
                        null=True,
                        verbose_name="to",
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
            ],
            options={
                "verbose_name": "standing order",
                "verbose_name_plural": "standing orders",
                "ordering": ["kind", "area__path", "-valid_from"],
            },
        ),
        migrations.CreateModel(
            name="StandingStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(verbose_name="order of calling")),
                (
                    "role",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("unit_head", "Ten-household head"),
                            ("grid_worker", "Grid worker"),
                            ("grid_chief", "Grid chief"),
                            ("grid_guide", "Grid guide"),
                            ("village_office", "Village office"),
                            ("town_admin", "Town admin"),
                            ("department_handler", "Department handler"),
                            ("command", "Command centre"),
                            ("county_leader", "County leader"),
                            ("mediator", "Mediator"),
                            ("system_admin", "System administrator"),
                            ("audit_admin", "Audit administrator"),
                            ("security_admin", "Security administrator"),
                        ],
                        max_length=20,
                        verbose_name="post",
                    ),
                ),
                (
                    "channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("sms", "SMS gateway"),
                                ("wecom", "WeCom group robot"),
                                ("dingtalk", "DingTalk group robot"),
                                ("feishu", "Feishu group robot"),
                                ("mail", "E-mail"),
                            ],
                            max_length=10,
                        ),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="channels",
                    ),
                ),
                (
                    "seconds",
                    models.PositiveIntegerField(
                        default=180, verbose_name="seconds until the next is called"
                    ),
                ),
            ],
            options={
                "verbose_name": "step of a standing order",
                "verbose_name_plural": "steps of standing orders",
                "ordering": ["position"],
            },
        ),
        migrations.AddField(
            model_name="deadlineversion",
            name="more_amount",
            field=models.PositiveSmallIntegerField(
                blank=True, null=True, verbose_name="extensions together at most"
            ),
        ),
        migrations.AddField(
            model_name="deadlineversion",
            name="more_unit",
            field=models.CharField(
                blank=True,
                choices=[
                    ("calendar_hours", "hours"),
                    ("calendar_days", "days"),
                    ("working_days", "working days"),
                    ("working_hours", "working hours"),
                ],
                db_default="",
                default="",
                max_length=15,
                verbose_name="unit",
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="due_unit",
            field=models.CharField(
                blank=True,
                choices=[
                    ("calendar_hours", "hours"),
                    ("calendar_days", "days"),
                    ("working_days", "working days"),
                    ("working_hours", "working hours"),
                ],
                db_default="",
                default="",
                max_length=15,
                verbose_name="unit",
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tasks",
                to="incidents.incident",
                verbose_name="task of",
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="task_amount",
            field=models.PositiveSmallIntegerField(
                blank=True, null=True, verbose_name="time for the task"
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="task_count",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="tasks"),
        ),
        migrations.AddField(
            model_name="incident",
            name="task_unit",
            field=models.CharField(
                blank=True,
                choices=[
                    ("calendar_hours", "hours"),
                    ("calendar_days", "days"),
                    ("working_days", "working days"),
                    ("working_hours", "working hours"),
                ],
                db_default="",
                default="",
                max_length=15,
                verbose_name="unit",
            ),
        ),
        migrations.AddField(
            model_name="ladderrung",
            name="channels",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("sms", "SMS gateway"),
                        ("wecom", "WeCom group robot"),
                        ("dingtalk", "DingTalk group robot"),
                        ("feishu", "Feishu group robot"),
                        ("mail", "E-mail"),
                    ],
                    max_length=10,
                ),
                blank=True,
                db_default=[],
                default=list,
                size=None,
                verbose_name="channels",
            ),
        ),
        migrations.AlterField(
            model_name="incident",
            name="source",
            field=models.CharField(
                choices=[
                    ("resident", "Resident"),
                    ("worker", "Grid worker"),
                    ("hotline", "Hotline 12345"),
                    ("system", "Another system"),
                    ("inspection", "Inspection"),
                    ("meeting", "Joint meeting"),
                    ("split", "Task of a case"),
                ],
                max_length=10,
                verbose_name="source",
            ),
        ),
        migrations.AlterField(
            model_name="routingrule",
            name="source",
            field=models.CharField(
                blank=True,
                choices=[
                    ("resident", "Resident"),
                    ("worker", "Grid worker"),
                    ("hotline", "Hotline 12345"),
                    ("system", "Another system"),
                    ("inspection", "Inspection"),
                    ("meeting", "Joint meeting"),
                    ("split", "Task of a case"),
                ],
                max_length=10,
                verbose_name="source",
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("parent__isnull", False)),
                fields=["parent", "id"],
                name="incident_tasks",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="incident",
            trigger=pgtrigger.compiler.Trigger(
                name="task_hangs_on_a_case",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.parent_id IS NOT NULL)",
                    func="\n                    IF NOT EXISTS (SELECT FROM incidents_incident p WHERE p.id = NEW.parent_id\n                            AND p.parent_id IS NULL AND p.county_id = NEW.county_id) THEN\n                        RAISE EXCEPTION 'a task hangs on a case of its own county, one level deep'\n                            USING ERRCODE = 'check_violation';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="3cd8479bbca59d73f4bd5ddb5f27ceb5b6b5b466",
                    operation="INSERT",
                    pgid="pgtrigger_task_hangs_on_a_case_bbc99",
                    table="incidents_incident",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="incident",
            trigger=pgtrigger.compiler.Trigger(
                name="task_stays_with_its_case",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.parent_id IS DISTINCT FROM NEW.parent_id)",
                    func="\n                    RAISE EXCEPTION 'a task stays with its case'\n                        USING ERRCODE = 'check_violation';\n                ",
                    hash="6913076268b4d9a379ac0c577627a0e545c26dd5",
                    operation='UPDATE OF "parent_id"',
                    pgid="pgtrigger_task_stays_with_its_case_075a0",
                    table="incidents_incident",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="incident",
            trigger=pgtrigger.compiler.Trigger(
                name="task_moves_with_its_case",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.parent_id IS NOT NULL OR NEW.task_count > 0)",
                    constraint="CONSTRAINT",
                    func="\n                    IF EXISTS (SELECT FROM incidents_incident t\n                                 JOIN incidents_incident p ON p.id = t.parent_id\n                                WHERE (t.id = NEW.id OR p.id = NEW.id)\n                                  AND t.county_id <> p.county_id) THEN\n                        RAISE EXCEPTION 'a task lies in the county of its case'\n                            USING ERRCODE = 'check_violation';\n                    END IF;\n                    RETURN NULL;\n                ",
                    hash="89f651be781c2991b881376c21bafd47e8ceeae0",
                    operation='UPDATE OF "county_id"',
                    pgid="pgtrigger_task_moves_with_its_case_5f169",
                    table="incidents_incident",
                    timing="DEFERRABLE INITIALLY DEFERRED",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="deadlineversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("more_amount__isnull", True), ("more_unit", "")),
                    models.Q(("more_amount__gt", 0), models.Q(("more_unit", ""), _negated=True)),
                    _connector="OR",
                ),
                name="deadline_more_time_has_a_unit",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("parent__isnull", False),
                        ("source", "split"),
                        ("task_amount__gt", 0),
                        ("task_count", 0),
                        models.Q(("task_unit", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("source", "split"), _negated=True),
                        ("parent__isnull", True),
                        ("task_amount__isnull", True),
                        ("task_unit", ""),
                    ),
                    _connector="OR",
                ),
                name="incident_task_has_a_case_and_a_time",
            ),
        ),
        migrations.AddField(
            model_name="emergencycall",
            name="acknowledged_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="emergencycall",
            name="area",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="grids.area",
            ),
        ),
        migrations.AddField(
            model_name="emergencycall",
            name="department",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="grids.department",
            ),
        ),
        migrations.AddField(
            model_name="emergencycall",
            name="incident",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="calls",
                to="incidents.incident",
            ),
        ),
        migrations.AddField(
            model_name="emergencycall",
            name="user",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="standingorder",
            name="area",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="standing_orders",
                to="grids.area",
                verbose_name="area",
            ),
        ),
        migrations.AddField(
            model_name="emergencycall",
            name="order",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="calls",
                to="incidents.standingorder",
            ),
        ),
        migrations.AddField(
            model_name="standingstep",
            name="department",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="grids.department",
            ),
        ),
        migrations.AddField(
            model_name="standingstep",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="steps",
                to="incidents.standingorder",
            ),
        ),
        migrations.AddField(
            model_name="standingstep",
            name="user",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="standingorder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_to__isnull", True),
                    ("valid_to__gt", models.F("valid_from")),
                    _connector="OR",
                ),
                name="standing_order_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="standingorder",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    ("kind", "="),
                    ("area", "="),
                    (grids.models.area.DateRange("valid_from", "valid_to"), "&&"),
                ],
                name="standing_order_one_at_a_time",
            ),
        ),
        migrations.AddIndex(
            model_name="emergencycall",
            index=models.Index(fields=["-called_at"], name="emergency_calls_newest"),
        ),
        migrations.AddConstraint(
            model_name="emergencycall",
            constraint=models.UniqueConstraint(
                fields=("incident", "kind", "position"), name="emergency_call_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="emergencycall",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        models.Q(("role", ""), _negated=True),
                        ("department__isnull", True),
                        ("user__isnull", True),
                    ),
                    models.Q(
                        ("role", ""),
                        models.Q(("department__isnull", True), _negated=True),
                        ("user__isnull", True),
                    ),
                    models.Q(
                        ("role", ""),
                        ("department__isnull", True),
                        models.Q(("user__isnull", True), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="emergency_call_is_to_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="emergencycall",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("acknowledged_at__isnull", True), ("acknowledged_by__isnull", True)),
                    models.Q(
                        ("acknowledged_at__isnull", False),
                        ("acknowledged_by__isnull", False),
                        ("called_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="emergency_call_acknowledged_once_called",
            ),
        ),
        migrations.AddConstraint(
            model_name="standingstep",
            constraint=models.UniqueConstraint(
                fields=("order", "position"), name="standing_step_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="standingstep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        models.Q(("role", ""), _negated=True),
                        ("department__isnull", True),
                        ("user__isnull", True),
                    ),
                    models.Q(
                        ("role", ""),
                        models.Q(("department__isnull", True), _negated=True),
                        ("user__isnull", True),
                    ),
                    models.Q(
                        ("role", ""),
                        ("department__isnull", True),
                        models.Q(("user__isnull", True), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="standing_step_calls_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="standingstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("seconds__gte", 10), ("seconds__lte", 86400)),
                name="standing_step_waits",
            ),
        ),
    ]
