"""Every feed that prices hang on, and how far it is to be trusted."""
