"""Inspections and the hazards they find; items whose answer needs a photo."""

import uuid

import django.contrib.gis.db.models.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("grids", "0016_boundary_import_forgets_done"),
        ("incidents", "0018_webhooks_and_hotline"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="category",
            name="photo_on_answer",
            field=models.BooleanField(
                default=False,
                help_text="An answer without one is refused.",
                verbose_name="asks for a photo of the result",
            ),
        ),
        migrations.CreateModel(
            name="Inspection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("firm", "Firms and shops"),
                            ("site", "Building sites"),
                            ("school", "Schools and nurseries"),
                            ("lamp", "Street lamps"),
                            ("manhole", "Manholes"),
                            ("parking", "Parking places"),
                            ("other", "Other"),
                        ],
                        max_length=10,
                        verbose_name="what is inspected",
                    ),
                ),
                ("about", models.CharField(blank=True, max_length=500, verbose_name="purpose")),
                (
                    "starts_on",
                    models.DateField(default=django.utils.timezone.localdate, verbose_name="from"),
                ),
                ("ends_on", models.DateField(verbose_name="to")),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "closed_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="closed at"),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                (
                    "area",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="inspections",
                        to="grids.area",
                        verbose_name="area",
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "inspection",
                "verbose_name_plural": "inspections",
            },
        ),
        migrations.CreateModel(
            name="InspectionItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                ("text", models.CharField(max_length=100, verbose_name="what to look at")),
                (
                    "days",
                    models.PositiveSmallIntegerField(
                        default=7, verbose_name="days to put it right"
                    ),
                ),
                (
                    "category",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="incidents.category",
                        verbose_name="category",
                    ),
                ),
                (
                    "department",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="grids.department",
                        verbose_name="whose duty",
                    ),
                ),
                (
                    "inspection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="incidents.inspection",
                    ),
                ),
            ],
            options={
                "verbose_name": "line of a checklist",
                "verbose_name_plural": "lines of a checklist",
                "ordering": ["position"],
            },
        ),
        migrations.CreateModel(
            name="InspectionPlace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("address", models.CharField(blank=True, max_length=200, verbose_name="address")),
                (
                    "location",
                    django.contrib.gis.db.models.fields.PointField(
                        blank=True, null=True, spatial_index=False, srid=4326, verbose_name="place"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("todo", "Not yet inspected"),
                            ("clean", "No hazard"),
                            ("hazards", "Hazards found"),
                        ],
                        default="todo",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "checked_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="inspected at"),
                ),
                (
                    "area",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="grids.area",
                        verbose_name="area",
                    ),
                ),
                (
                    "checked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "inspection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="places",
                        to="incidents.inspection",
                    ),
                ),
            ],
            options={
                "verbose_name": "place to be inspected",
                "verbose_name_plural": "places to be inspected",
            },
        ),
        migrations.CreateModel(
            name="Hazard",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("found_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "due_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="to be put right by"),
                ),
                (
                    "found_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "incident",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hazard",
                        to="incidents.incident",
                    ),
                ),
                (
                    "inspection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hazards",
                        to="incidents.inspection",
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hazards",
                        to="incidents.inspectionitem",
                    ),
                ),
                (
                    "place",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hazards",
                        to="incidents.inspectionplace",
                    ),
                ),
            ],
            options={
                "verbose_name": "hazard",
                "verbose_name_plural": "hazards",
            },
        ),
        migrations.CreateModel(
            name="InspectionTeam",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "area",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="grids.area",
                    ),
                ),
                (
                    "department",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="grids.department",
                    ),
                ),
                (
                    "inspection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="teams",
                        to="incidents.inspection",
                    ),
                ),
            ],
            options={
                "verbose_name": "team of an inspection",
                "verbose_name_plural": "teams of an inspection",
            },
        ),
        migrations.AddConstraint(
            model_name="inspection",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_on__gte", models.F("starts_on"))),
                name="inspection_ends_after_it_starts",
            ),
        ),
        migrations.AddConstraint(
            model_name="inspection",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("closed_by__isnull", True)),
                    models.Q(("closed_at__isnull", False), ("closed_by__isnull", False)),
                    _connector="OR",
                ),
                name="inspection_closed_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="inspectionitem",
            constraint=models.UniqueConstraint(
                fields=("inspection", "position"), name="inspection_item_once_per_position"
            ),
        ),
        migrations.AddConstraint(
            model_name="inspectionitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("days__gte", 1), ("days__lte", 180)),
                name="inspection_item_days_in_reach",
            ),
        ),
        migrations.AddIndex(
            model_name="inspectionplace",
            index=models.Index(
                fields=["inspection", "state", "id"], name="inspection_place_by_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="inspectionplace",
            constraint=models.UniqueConstraint(
                fields=("inspection", "name", "address"), name="inspection_place_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="inspectionplace",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("checked_at__isnull", True),
                        ("checked_by__isnull", True),
                        ("state", "todo"),
                    ),
                    models.Q(
                        models.Q(("state", "todo"), _negated=True),
                        ("checked_at__isnull", False),
                        ("checked_by__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="inspection_place_checked_by_somebody",
            ),
        ),
        migrations.AddIndex(
            model_name="hazard",
            index=models.Index(fields=["inspection", "-id"], name="hazard_of_inspection"),
        ),
        migrations.AddConstraint(
            model_name="inspectionteam",
            constraint=models.UniqueConstraint(
                fields=("inspection", "area", "department"),
                name="inspection_team_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="inspectionteam",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("area__isnull", True), ("department__isnull", False)),
                    models.Q(("area__isnull", False), ("department__isnull", True)),
                    _connector="OR",
                ),
                name="inspection_team_is_one_of_two",
            ),
        ),
    ]
