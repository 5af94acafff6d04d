"""Read every account of a market, shard by shard, and judge them all at once."""
