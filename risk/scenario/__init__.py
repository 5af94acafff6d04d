"""What would happen: shocks, paths and grids with full revaluation, liquidations included."""
