"""The trigger of an area's version is kept by a restore: see grids/models/area.py."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("grids", "0014_postings_are_kept"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="area",
            name="area_version",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="area",
            trigger=pgtrigger.compiler.Trigger(
                name="area_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition=(
                        "WHEN (OLD.path IS DISTINCT FROM NEW.path"
                        " OR OLD.code IS DISTINCT FROM NEW.code"
                        " OR OLD.name IS DISTINCT FROM NEW.name"
                        " OR OLD.grid_kind IS DISTINCT FROM NEW.grid_kind"
                        " OR OLD.organisation IS DISTINCT FROM NEW.organisation"
                        " OR OLD.boundary::bytea IS DISTINCT FROM NEW.boundary::bytea"
                        " OR OLD.closed_on IS DISTINCT FROM NEW.closed_on"
                        " OR OLD.merged_into_id IS DISTINCT FROM NEW.merged_into_id)"
                    ),
                    func="NEW.version = OLD.version + 1; RETURN NEW;",
                    hash="efe22d3bfe555e6cf10a39b0510048fd6782f0af",
                    operation="UPDATE",
                    pgid="pgtrigger_area_version_43959",
                    table="grids_area",
                    when="BEFORE",
                ),
            ),
        ),
    ]
