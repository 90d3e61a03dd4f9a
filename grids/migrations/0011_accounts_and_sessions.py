"""Second factors, recovery codes, sessions, and first passwords that must be changed."""

import core.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('grids', '0010_worker_files'),
    ]

    operations = [
        migrations.CreateModel(
            name='UserSession',
            fields=[
                ('session_key', models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name='session')),
                ('began_at', models.DateTimeField(auto_now_add=True, verbose_name='began at')),
                ('seen_at', models.DateTimeField(db_index=True, verbose_name='seen at')),
                ('ip', models.GenericIPAddressField(blank=True, null=True, verbose_name='IP address')),
                ('device', models.CharField(blank=True, max_length=200, verbose_name='device')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'signed-in session',
                'verbose_name_plural': 'signed-in sessions',
            },
        ),
        migrations.CreateModel(
            name='Authenticator',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('totp', 'Authenticator app'), ('passkey', 'Passkey')], max_length=10, verbose_name='kind')),
                ('name', models.CharField(max_length=50, verbose_name='name')),
                ('secret', core.fields.EncryptedTextField(verbose_name='secret')),
                ('credential_id', models.CharField(blank=True, default='', max_length=1400, verbose_name='credential')),
                ('last_used', models.BigIntegerField(default=0, verbose_name='last used')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('used_at', models.DateTimeField(blank=True, null=True, verbose_name='used at')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='authenticators', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'authenticator',
                'verbose_name_plural': 'authenticators',
                'constraints': [models.UniqueConstraint(condition=models.Q(('kind', 'totp')), fields=('user',), name='authenticator_one_app'), models.UniqueConstraint(condition=models.Q(('kind', 'passkey')), fields=('credential_id',), name='authenticator_passkey_once')],
            },
        ),
        migrations.CreateModel(
            name='RecoveryCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, verbose_name='digest')),
                ('used_at', models.DateTimeField(blank=True, null=True, verbose_name='used at')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recovery_codes', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'recovery code',
                'verbose_name_plural': 'recovery codes',
                'constraints': [models.UniqueConstraint(fields=('user', 'digest'), name='recovery_code_once')],
            },
        ),
        migrations.AddField(
            model_name='user',
            name='must_change_password',
            field=models.BooleanField(default=False, verbose_name='must change the password'),
        ),
        migrations.AddField(
            model_name='user',
            name='second_factor_due',
            field=models.DateField(blank=True, null=True, verbose_name='second factor due'),
        ),
    ]
