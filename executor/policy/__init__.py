"""The wallet guard: what may be signed at all, whatever a plan says. Default deny."""
