"""Plans of the config: find the positions, make the plan, show it."""
