"""What people do in the world: take prices, open positions, liquidate others.

A function named `…_txs` describes transactions for a later `send_many`; the others send.
"""
