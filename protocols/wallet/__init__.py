"""Coins and tokens held by an account itself, and what it allows others to take."""

from protocols.wallet.adapter import Wallet
from protocols.wallet.discovery import SPENDERS

__all__ = ["SPENDERS", "Wallet"]
