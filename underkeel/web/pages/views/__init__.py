"""One module a page: documents in, what its template shows out. Pure."""
