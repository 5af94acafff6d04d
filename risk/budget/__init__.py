"""Who uses up the risk: contributions, weights by budget, weights of least shortfall."""
