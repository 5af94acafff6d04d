"""The channels of a config, with their secrets looked up."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from underkeel.config.channels import ChannelTable
from underkeel.config.load import Config
from underkeel.config.problems import Problem
from underkeel.config.secrets import SecretMissing, Secrets
from underkeel.config.values import url_problem
from underkeel.errors import ConfigError
from underkeel.notify.by_apprise import ByApprise
from underkeel.notify.types import Channel, Limits
from underkeel.notify.webhook import LEAST_SECRET, Webhook
from underkeel.notify.wire import Target, target


def open_channels(
    config: Config,
    environ: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
) -> dict[str, Channel]:
    """Return every channel by name, or some; raises `ConfigError` with each secret missing.

    Called by what sends only: a command that reads positions needs no channel's secrets.
    """
    secrets = Secrets.beside(config.path.parent, os.environ if environ is None else environ)
    found: dict[str, Channel] = {}
    problems: list[Problem] = []
    for name, table in config.settings.channels.items():
        if only is not None and name not in only:
            continue
        try:
            found[name] = _channel(name, table, secrets)
        except _Wrong as wrong:
            key = f"channels.{name}.{wrong.key}"
            problems.append(Problem(str(config.path), key, wrong.what, wrong.todo))
    if problems:
        raise ConfigError(problems)
    return found


def heartbeat_url(config: Config, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the dead-man switch's URL, if there is one; raises `ConfigError` as above."""
    if config.settings.heartbeat is None:
        return None
    secrets = Secrets.beside(config.path.parent, os.environ if environ is None else environ)
    try:
        url = _resolved(secrets, "url", config.settings.heartbeat.url)
        _target(url, "url")
    except _Wrong as wrong:
        problem = Problem(str(config.path), f"heartbeat.{wrong.key}", wrong.what, wrong.todo)
        raise ConfigError([problem]) from None
    return url


@dataclass
class _Wrong(Exception):
    key: str
    what: str
    todo: str = ""


def _channel(name: str, table: ChannelTable, secrets: Secrets) -> Channel:
    limits = Limits(table.timeout, table.most_per_minute, table.retry_for)
    if table.apprise is not None:
        url = _resolved(secrets, "apprise", table.apprise)
        if "://" not in url or any(c.isspace() for c in url):
            raise _Wrong("apprise", f"{table.apprise} is not an apprise URL", "docs/channels.md")
        return ByApprise(name, url, limits)
    to = _target(_resolved(secrets, "webhook", table.webhook or ""), "webhook")
    secret = _resolved(secrets, "secret", table.secret or "")
    if len(secret) < LEAST_SECRET:
        todo = f"put {LEAST_SECRET} random characters or more in it"
        raise _Wrong("secret", f"{table.secret} is short enough to be guessed", todo)
    return Webhook(name, to, secret, limits)


def _resolved(secrets: Secrets, key: str, reference: str) -> str:
    try:
        return secrets.resolve(reference)
    except SecretMissing as missing:
        raise _Wrong(key, str(missing)) from None


def _target(url: str, key: str) -> Target:
    if what := url_problem(url, ("http", "https")):
        raise _Wrong(key, what)
    try:
        return target(url)
    except ValueError as error:
        raise _Wrong(key, str(error)) from None
