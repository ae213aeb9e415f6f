"""Send a message through a notification block of the Prefect server, and say in our own words why it did not go.

What a library says about a failure may hold the address, and the address of a webhook is its password: none of it is passed on.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from typing import Any, Final

import httpx
from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.blocks.core import Block
from prefect.exceptions import ObjectNotFound

from firebreak.report.messages import Message, Style, written
from flows.blocks import NotMailedError  # Prefect knows our own block types by this import, too

SECONDS: Final = 10
_STYLES: Final = {
    "slack-webhook": Style.SLACK,
    "ms-teams-webhook": Style.MARKDOWN,
    "mattermost-webhook": Style.MARKDOWN,
    "discord-webhook": Style.MARKDOWN,
    "pager-duty-webhook": Style.PAGER,
    "opsgenie-webhook": Style.PAGER,
    "twilio-sms": Style.PAGER,
}
_STATUS = re.compile(r"\berror=(\d{3})\b")
# They write whole addresses into their logs, from INFO or DEBUG on. What Apprise warns of has none, and says why it failed.
_TALKATIVE: Final = ("apprise", "urllib3", "requests", "httpx", "httpcore")


async def send(channel: str, message: Message) -> str:
    """Send a message over a channel, `TYPE/NAME` of a block; return why it did not go, "" when it was taken."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
    try:
        async with asyncio.timeout(SECONDS):
            block = await _load(channel)
            if block is None:
                return "The Prefect server has no such notification block."
            await _notify(block, channel, message)
    except TimeoutError:
        return f"No answer within {SECONDS} seconds."
    except httpx.HTTPStatusError as error:
        return f"Answered with status {error.response.status_code}."
    except NotMailedError as error:
        return error.log
    except NotificationError as error:
        status = _STATUS.search(error.log or "")
        return (
            f"Answered with status {status[1]}." if status else "Not taken: is the address right and can it be reached?"
        )
    except Exception as error:  # noqa: BLE001 - whatever a block raises: a channel that fails must not stop the next one
        return f"Could not be sent ({type(error).__name__})."
    return ""


async def _load(channel: str) -> NotificationBlock | None:
    try:
        loaded: Any = await Block.aload(channel)
    except (ValueError, ObjectNotFound):
        return None
    return loaded if isinstance(loaded, NotificationBlock) else None


async def _notify(block: NotificationBlock, channel: str, message: Message) -> None:
    subject, body = written(message, _STYLES.get(channel.partition("/")[0], Style.TEXT))
    with block.raise_on_failure():
        sent: Any = block.notify(body, subject or None)
        if inspect.isawaitable(sent):
            await sent
