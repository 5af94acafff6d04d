"""From the store to the documents of the web API."""
