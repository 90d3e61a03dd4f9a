from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0023_tasks_and_more_time_need_an_amount"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="retentionrule", name="retention_what_known"),
        migrations.AlterField(
            model_name="retentionrule",
            name="what",
            field=models.CharField(
                choices=[
                    ("reporter_contact", "Name and phone of the reporter"),
                    ("party_phone", "Phones of the parties to a dispute"),
                    ("household_contact", "Contact of a household that moved out"),
                    ("visit_point", "Where the phone was at a visit"),
                    ("visit_diary", "Diary and photos of a visit"),
                    ("ai_call", "Question to a model outside and its reply"),
                    ("duty_shift", "When somebody was on duty"),
                ],
                max_length=20,
                verbose_name="what is erased",
            ),
        ),
        migrations.AddConstraint(
            model_name="retentionrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "what__in",
                        [
                            "reporter_contact",
                            "party_phone",
                            "household_contact",
                            "visit_point",
                            "visit_diary",
                            "ai_call",
                            "duty_shift",
                        ],
                    )
                ),
                name="retention_what_known",
            ),
        ),
    ]
