"""Spreadsheets in and out, for any list the house keeps.

What lives here: columns declared as data, reading a file that people made, writing templates,
lists and files of errors, and the plan that is shown before anything is saved. What must not:
any list itself; whoever owns one declares a ``SheetKind`` (plan.py) and registers it from
AppConfig.ready. The verbs are in core.services.sheets.
"""
