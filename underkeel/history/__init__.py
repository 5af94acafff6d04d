"""What prices were: read from the chain once and kept, or taken from files."""
