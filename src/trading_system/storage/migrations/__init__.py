"""Alembic's environment and revisions, packaged so that `migrate` works from an installed wheel."""
