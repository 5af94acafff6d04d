"""One file per step. What was released is never changed."""
