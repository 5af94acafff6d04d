"""What `doctor` looks at of channels and heartbeat; nothing is sent."""

import os
from collections.abc import Iterator, Mapping
from typing import Final

from underkeel.config.load import Config
from underkeel.documents.models import Check
from underkeel.errors import ConfigError
from underkeel.notify.channels import heartbeat_url, open_channels
from underkeel.notify.wire import resolves, target

PROXIES: Final = ("https_proxy", "http_proxy", "all_proxy")
TRY: Final = "`underkeel alert test {}` sends a real message"


def channel_checks(config: Config, environ: Mapping[str, str] | None = None) -> Iterator[Check]:
    """Look at each channel by itself: its secrets, whether it leads anywhere."""
    given = os.environ if environ is None else environ
    names = config.settings.channels
    if not names:
        return
    for name in names:
        title = f"channel {name}"
        try:
            (channel,) = open_channels(config, environ, only=[name]).values()
        except ConfigError as error:
            yield _check(title, "failed", str(error), "see above")
            continue
        trouble = channel.check()
        if trouble:
            yield _check(title, "failed", trouble, "correct its URL, or see whether DNS works")
        else:
            yield _check(title, "ok", f"{channel.place}; " + TRY.format(name))
    if any(given.get(name) or given.get(name.upper()) for name in PROXIES):
        found = "the environment names a proxy, which messages do not use"
        yield _check("proxy", "warning", found, "let this machine reach the channels directly")
    if len(names) == 1:
        found = "only one: nobody hears of it when it fails, but the dead-man switch"
        yield _check("channels", "warning", found, "add a second [channels.NAME]")


def heartbeat_checks(config: Config, environ: Mapping[str, str] | None = None) -> Iterator[Check]:
    """Look at the dead-man switch; nothing is pinged."""
    try:
        url = heartbeat_url(config, environ)
    except ConfigError as error:
        yield _check("heartbeat", "failed", str(error), "see above")
        return
    if url is None:
        if config.settings.channels:
            found = "none: nobody hears of it when this machine dies"
            yield _check("heartbeat", "warning", found, "add [heartbeat]: docs/channels.md")
        return
    to = target(url)
    if resolves(to.origin.host, to.origin.port):
        yield _check("heartbeat", "ok", to.label)
    else:
        yield _check(
            "heartbeat", "failed", f"{to.label}: its name does not resolve", "correct its url"
        )


def _check(name: str, status: str, found: str, todo: str | None = None) -> Check:
    return Check.model_validate({"name": name, "status": status, "found": found, "todo": todo})
