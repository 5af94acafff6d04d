"""Steer away: while an alert fires, make the plan its rule names, propose it or have it done."""
