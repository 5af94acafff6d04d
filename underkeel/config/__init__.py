"""Read, check and explain the config."""
