"""Where prices come from, how old they are, and why not to trust them."""
