"""Speak to EVM chains. The only room that does RPC."""
