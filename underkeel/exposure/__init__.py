"""Read what positions stand on, judge it, compare it with an earlier block, draw it."""
