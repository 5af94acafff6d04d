"""Joint distance, chances and remedies of a portfolio: wires histories to the numbers in risk/."""
