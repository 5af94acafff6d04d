"""`stress`: what shocks would do to a portfolio, liquidations on the way included."""
