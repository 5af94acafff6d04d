"""Run intents: observe the chain, decide by pure rules, record, then act."""
