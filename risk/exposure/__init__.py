"""What the failure of one contract, oracle, bridge or key would take. Pure numbers."""
