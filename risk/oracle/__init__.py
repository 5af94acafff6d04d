"""How far a feed is to be trusted: when it speaks, what it hides, who may replace it."""
