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
from collections.abc import Iterator
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import BaseContext
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from spotter import logs
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


class Subscriptions(dict[str, list[tuple[Session, int]]]):
    """Topic filter -> who subscribed. Iterating goes over the filters of that moment: amqtt awaits while it iterates,
    and a client that subscribed meanwhile would end the loop, and with it the handling of another one.
    """

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.keys()))


class EmbeddedBroker(Broker):  # type: ignore[misc]
    """amqtt's broker, which gives a client that connects what is retained under its own subscriptions only."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._subscriptions = Subscriptions()

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # amqtt asks this for everybody's filters whenever anyone connects.
        if any(known.client_id == session.client_id for known, _ in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)


async def serve(port: int) -> None:
    """Run the broker on 127.0.0.1:`port` until SIGTERM or SIGINT."""
    broker = EmbeddedBroker(
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
    logs.configure()
    logging.getLogger().setLevel(logging.ERROR)  # amqtt warns of every client that goes
    asyncio.run(serve(int(os.environ[BROKER_PORT_VARIABLE])))


if __name__ == "__main__":
    main()
