"""What an alert's value was when a plan was made for it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; of older proposals it is not known."""
    op.add_column("proposals", sa.Column("value", sa.Double(), nullable=True))
