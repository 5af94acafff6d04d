"""The durable record of intents: SQLite by default, Postgres by URL."""
