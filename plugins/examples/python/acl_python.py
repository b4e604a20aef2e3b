"""Allows each user a list of topics. `../README.md` tells the rules, and what a plugin in Python costs."""

import json
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.topic_check import Verdict
from wit_world.imports import log
from wit_world.imports.types import Action, Client, Decision, Registration, TopicRequest

# The entry for clients without a user name. A client that calls itself so is not meant.
ANONYMOUS = "anonymous"

# A verdict holds until the plugin is loaded again: it depends on nothing but the settings.
ALLOW = Verdict(Decision.ALLOW, 0xFFFF_FFFF)
DENY = Verdict(Decision.DENY, 0xFFFF_FFFF)

# The rules of each user, each as its levels. Filled by `init`, once for each instance.
rules: dict[str, list[list[str]]] = {}


class Lifecycle(exports.Lifecycle):
    def init(self, settings: str, registration: Registration) -> None:
        try:
            rules.update(read(json.loads(settings)))
        except ValueError as problem:
            raise Err(str(problem)) from None
        registration.decide(Action.PUBLISH)
        registration.decide(Action.SUBSCRIBE)

    def stop(self) -> None:
        pass


class TopicCheck(exports.TopicCheck):
    def check(
        self, client: Client, request: TopicRequest, client_id: str, username: str | None, action: Action, topic: str
    ) -> Verdict:
        return told(lambda: vote(username, topic))

    def check_many(
        self,
        client: Client,
        request: TopicRequest,
        client_id: str,
        username: str | None,
        action: Action,
        topics: list[str],
    ) -> list[Verdict]:
        return told(lambda: [vote(username, topic) for topic in topics])


def told(work):
    """Does the work. An exception ends in a trap, which has no words: they go to the log before."""
    try:
        return work()
    except Exception:
        log.write(log.Level.ERROR, traceback.format_exc())
        raise


def vote(username: str | None, topic: str) -> Verdict:
    if username == ANONYMOUS:
        return DENY
    levels = topic.split("/")
    allowed = any(covers(rule, levels) for rule in rules.get(username or ANONYMOUS, ()))
    return ALLOW if allowed else DENY


def covers(rule: list[str], topic: list[str]) -> bool:
    """Whether a rule matches a topic name, or all that a topic filter can match."""
    if topic[0].startswith("$") and rule[0] in ("+", "#"):
        return False
    for place, level in enumerate(rule):
        if level == "#":
            return True
        if place == len(topic) or level != topic[place] and (level != "+" or topic[place] == "#"):
            return False
    return len(rule) == len(topic)


def read(settings: dict) -> dict[str, list[list[str]]]:
    """The rules of the settings; an error names the key that is wrong."""
    for key in settings:
        if key != "acl":
            raise ValueError(f"`{key}`: there is no such setting, but `acl`")
    acl = settings.get("acl")
    if not isinstance(acl, dict):
        raise ValueError("`acl`: not a map of user names to lists of topic filters")
    return {user: read_list(f"acl.{user}", filters) for user, filters in acl.items()}


def read_list(key: str, filters: list) -> list[list[str]]:
    if not isinstance(filters, list):
        raise ValueError(f"`{key}`: not a list of topic filters")
    return [read_filter(f"{key}[{place}]", text) for place, text in enumerate(filters)]


def read_filter(key: str, text: str) -> list[str]:
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError(f"`{key}`: not a topic filter")
    levels = text.split("/")
    for place, level in enumerate(levels):
        if "#" in level and (level != "#" or place + 1 < len(levels)):
            raise ValueError(f"`{key}`: `#` stands alone in the last level: `{text}`")
        if "+" in level and level != "+":
            raise ValueError(f"`{key}`: `+` stands alone in its level: `{text}`")
    return levels
