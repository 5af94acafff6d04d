"""Know what can go wrong: pure numbers from positions, prices and graphs."""
