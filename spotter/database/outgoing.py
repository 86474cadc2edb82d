"""Events on their way to the broker, for whoever changes the database: the usage worker publishes them in order."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from spotter import redis_keys, topics
from spotter.database.tables import OutgoingEventRow
from spotter.events import Alert


def put_alert(connection: Connection, shards: int, event: Alert) -> None:
    """Have an alert published once this transaction is committed, by the worker that owns its site.

    `shards` is the settings' number of them.
    """
    connection.execute(
        insert(OutgoingEventRow).values(
            shard=redis_keys.shard_of(event.site, shards),
            topic=topics.alert(event.site, event.kind),
            payload=event.to_json(),
            retained=False,
        )
    )
