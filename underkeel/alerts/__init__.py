"""From observations to alerts: rules, states, and who is told what and when."""
