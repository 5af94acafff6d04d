"""What a contract is, who controls it, and what a position stands on. Pure read programs."""
