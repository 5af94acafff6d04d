"""How far several prices at once are from liquidating a position, or any position of a wallet."""
