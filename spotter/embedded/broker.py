"""The embedded MQTT broker: amqtt in a process of its own, one user with one password.

It keeps nothing for an absent subscriber, and its retained messages go when it stops; the pipeline's outbox and the
parts' repeated states make up for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import signal
import sys

from amqtt.broker import Broker
from amqtt.contexts import BaseContext
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from spotter.embedded.servers import BROKER_PASSWORD_VARIABLE, BROKER_PORT_VARIABLE, HOST, USERNAME


class SharedPassword(BaseAuthPlugin):  # type: ignore[misc]
    """Lets in whoever knows the one password, which comes from the environment and is in no file of the broker."""

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._password = os.environ[BROKER_PASSWORD_VARIABLE].encode()

    async def authenticate(self, *, session: Session) -> bool:
        """Whether the session gave the user and the password."""
        given = (session.password or "").encode()
        return session.username == USERNAME and hmac.compare_digest(given, self._password)


async def serve(port: int) -> None:
    """Run the broker on 127.0.0.1:`port` until SIGTERM or SIGINT."""
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {"spotter.embedded.broker.SharedPassword": {}},
        }
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await broker.start()
    await stop.wait()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(broker.shutdown(), timeout=2)


def main() -> None:
    """Entry of the broker's process."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    asyncio.run(serve(int(os.environ[BROKER_PORT_VARIABLE])))


if __name__ == "__main__":
    main()
