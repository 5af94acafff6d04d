"""The config that `init` writes: every key there is, the unused ones commented out."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

HEAD: Final = """\
# Underkeel's config. Check it with `underkeel config check`, try it with `underkeel doctor`.
# Every key is described in docs/config.md; an unknown key is an error, so typing slips show.
version = 1
mode = "dry-run"                      # "live" lets `execute --execute` sign and send
timezone = "UTC"                      # for display only, e.g. "Europe/Berlin"
"""

CHAIN: Final = """
[chains.{name}]
chain_id = {chain_id}                 # checked against what every endpoint says
# In order of preference. A URL with a key in it is better kept out of this file:
# "env:NAME" reads the environment or .env beside this file, "file:PATH" a secret file.
rpc = {rpc}
# ws = "env:ETH_WS"                   # says when there is a new head
# quorum = 2                          # endpoints that must give the same answers
# max_block_age = "60s"               # an older head is stale
# max_price_age = "24h"               # an older price is stale, whatever its feed promises
# head_lag = 0                        # read this many blocks behind the head
# multicall3 = "0x…"                  # where it is not at the network's usual address
# defaults = false                    # do not read the known markets of this network
# discover = false                    # do not search logs for Morpho markets and approvals

# Further markets, each by its root address:
# [[chains.{name}.markets]]
# adapter = "aave-v3"                 # key: pool_addresses_provider
# name = "my fork"
# pool_addresses_provider = "0x…"
#
# [[chains.{name}.markets]]
# adapter = "morpho-blue"
# morpho = "0x…"
# market_ids = []                     # empty: found in the logs
#
# [[chains.{name}.markets]]
# adapter = "compound-v2"
# comptroller = "0x…"
#
# [[chains.{name}.markets]]
# adapter = "erc4626"
# vault = "0x…"
#
# [[chains.{name}.markets]]
# adapter = "uniswap-v3"
# position_manager = "0x…"
#
# [[chains.{name}.markets]]
# adapter = "wallet"
# tokens = ["0x…"]                    # ERC-20s to show besides the native coin
# spenders = ["0x…"]                  # allowances to watch besides those of the markets above

# [[chains.{name}.prices]]
# token = "0x…"                       # the zero address is the native coin
# feed = "0x…"                        # a Chainlink feed
# quote = "USD"                       # "USD", "ETH", or a token's address
# heartbeat = "1h"
"""

WALLET: Final = """
[wallets.{name}]
address = "{address}"
# kind = "safe"                       # "eoa", "safe", "contract" or "watch"
# signer = {{ kind = "keystore", path = "main.json", password = "file:main-password" }}
"""

NO_WALLET: Final = """
# [wallets.main]
# address = "0x…"
# kind = "eoa"                        # "eoa", "safe", "contract" or "watch"
# signer = { kind = "keystore", path = "main.json", password = "file:main-password" }
"""

SIGNING: Final = """
# What a wallet with a signer may sign: docs/wallets.md. Without a policy, nothing.
# [policy.main]
# max_tx_usd = 5000                   # the most that may leave with one transaction, gas too
# max_hour_usd = 10000                # the same in any hour, all together
# max_day_usd = 20000                 # and in any 24 hours
# max_fee_gwei = 60
# allow = ["aave-v3", "wallet"]       # adapters whose contracts may be called
# max_tx_eth = 0.5                    # native coin, gas at its cap included
# max_hour_eth = 1
# max_day_eth = 2
# max_gas = 3000000
# max_per_hour = 20                   # transactions begun in any hour
# max_slippage_bps = 30
# min_gas_balance_eth = 0.05          # what stays, whatever happens
# approvals = "exact"
# max_price_age = "24h"
# max_oracle_gap_bps = 300            # between an oracle and the market
# require_market = true
# guards = []                         # guard contracts: docs/guard.md
# targets = {}                        # further functions: "0x…" = ["claim(address)"]
# heartbeat = "alive"                 # a file to be touched, and how long it may not be
# max_silence = "1d"
#
# [storage]                           # what is seen and what is signed: docs/storage.md
# url = "sqlite"                      # or postgresql+psycopg://…, best as "env:NAME"
# retain = { raw = "30d", hourly = "2y" }
"""

CHANNELS: Final = """
# Where alerts are sent: docs/channels.md. Try one with `underkeel alert test ops`.
# [channels.ops]
# apprise = "env:UNDERKEEL_OPS_URL"   # Telegram, Slack, mail …: an apprise URL, never in here
# [channels.hook]
# webhook = "https://example.org/hook"
# secret = "file:hook-secret"         # what messages are signed with
# timeout = "15s"                     # for one attempt
# per_minute = 600                    # 20 with apprise
# retry_for = "7d"                    # a message is given up after it
#
# [heartbeat]                         # a dead-man switch hears of every complete round
# url = "env:UNDERKEEL_HEARTBEAT_URL"
# every = "60s"
# method = "GET"                      # or "POST"
# timeout = "10s"
# signals = false                     # also URL/start and URL/fail: healthchecks.io
"""

WEB: Final = """
# The pages, the JSON API and the metrics: docs/web.md. `underkeel run` and `underkeel dash` serve.
# [web]
# bind = "127.0.0.1:8899"             # anything else needs a token
# token = "file:web-token"            # 16 characters or more; who shows it may look
# hosts = ["keel.example.org"]        # further names that browsers may call it by
# proxies = ["10.0.0.2"]              # whose X-Forwarded headers are believed
# session = "12h"                     # how long a login lasts
# max_streams = 64                    # browsers that may follow live at once
"""

MCP: Final = """
# Tools for language models, which read and may ask for plans: docs/agents.md.
# [mcp]
# bind = "127.0.0.1:8898"             # of `mcp --http`; this machine only
# token = "file:mcp-token"            # --http needs it, stdio does not
# proposals_per_hour = 6              # 0: models only read
"""

ALERTS: Final = """
# What is watched besides the built-in rules: docs/alerts.md.
# [[alert]]
# id = "hf-low"
# expr = "health_factor"
# match = { wallet = "main" }         # which series; * stands for any text
# levels = [{ severity = "critical", fire_below = 1.15, clear_above = 1.25 }]
# for = "2 blocks"                    # how long first; or "30s"
# critical_for = "0"                  # the same of level critical
# keep_firing = "1m"                  # how long it goes on when the value is good again
# on_stale = { after = "90s", severity = "critical" }
# group_by = ["wallet", "chain"]      # alike in these, they share a message
# repeat = { every = "1h", backoff = 2, max = 6 }
# notify = { warning = ["ops"], critical = ["ops"] }
# escalate = { after = "10m", unless = "ack", to = ["ops"] }
# inhibit = [{ alerts = ["oracle-overdue"], equal = ["chain"] }]
# action = { plan = "rescue", restore_to = 1.80, mode = "propose" }
# say = "Call Ada."                   # your words, put in every message
#
# [[alert]]
# id = "unlimited-allowance"          # a built-in rule, changed key by key
# enabled = false
"""

MONITOR: Final = """
# [monitor]                           # how often `underkeel run` reads: docs/monitor.md
# every = "12s"                       # least time between two readings; each block if none
# calm_every = "60s"                  # the same while all is far from every threshold
# near = 1.5                          # the health that matters where no rule names a higher one
# refresh = "30s"                     # a position far from danger is judged anew at least so often
# discover_every = "5m"               # how often logs are searched for new positions
# document_every = "0s"               # least time between two stored documents
# poll = "2s"                         # how often heads are asked for without ws; 12s if not known
"""

HISTORY: Final = """
# [history]
# days = 365                          # how far back prices are looked at
# rounds = 20000                      # about how many rounds of one feed are read at most
# files = { ETH = "eth.csv" }         # histories that the chain does not have
"""

PLAN: Final = """
# [[plan]]                            # made by `underkeel plan rescue`: docs/plans.md
# name = "rescue"
# kind = "restore-health"             # or one action, e.g. "repay", "flash-deleverage"
# match = { protocol = "aave-v3" }    # which positions
# fire_below = 1.3                    # plan only below this health
# restore_to = 1.8                    # the health to reach
# max_slippage_bps = 50               # how much worse than quoted a swap may be
# volatility = 0.8                    # a year; says what acting is worth
"""


def config_text(name: str, chain_id: int, rpc: Sequence[str], wallets: Mapping[str, str]) -> str:
    """Return a commented config for one chain."""
    chain = CHAIN.replace("{name}", name).replace("{chain_id}", str(chain_id))
    chain = chain.replace("{rpc}", json.dumps(list(rpc), ensure_ascii=False))
    listed = [WALLET.format(name=n, address=a) for n, a in wallets.items()]
    later = (SIGNING, MONITOR, CHANNELS, WEB, MCP, ALERTS, HISTORY, PLAN)
    return HEAD + chain + ("".join(listed) or NO_WALLET) + "".join(later)
