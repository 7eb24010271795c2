"""The schema revision this code expects. A constant, because importing alembic at every start would cost half a second.

A test keeps it equal to the newest migration.
"""

from typing import Final

HEAD_REVISION: Final = "0001"
