"""The schema of the warehouse brought up to date, or back, and where it stands."""

from importlib import import_module

from work_data_hub.io.schema_head import current_head, expected_head, require_head

__all__ = ["current_head", "downgrade", "expected_head", "require_head", "upgrade"]


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database up to `revision`, all steps in one transaction; nothing to do is fine.

    Raises WarehouseError when the server refuses, ConfigError for a revision that does not exist.
    """
    _change("upgrade", url, revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database down to `revision` (`base` for none), all steps in one transaction.

    Raises UsageError unless the database is marked as test or named in WDH_ALLOW_DOWNGRADE.
    """
    _change("downgrade", url, revision)


def _change(direction: str, url: str, revision: str) -> None:
    # Alembic and SQLAlchemy cost a plan 0.3 s, and a plan only reads the head.
    import_module("work_data_hub.io.alembic_commands").change(direction, url=url, revision=revision)
