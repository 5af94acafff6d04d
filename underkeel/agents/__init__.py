"""What language models may do here: read what the monitor stored, and ask for a plan."""
