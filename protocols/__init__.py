"""Know what a position is. Pure: say what to read, turn answers into positions."""
