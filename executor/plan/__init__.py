"""Plans: what to do about a position, what it costs, and exactly what is left afterwards."""
