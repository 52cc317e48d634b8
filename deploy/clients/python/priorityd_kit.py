"""What an agency and a specialist service need to exchange messages with priorityd over Kafka, on stock libraries:
confluent-kafka and jwcrypto. Copy what you need.

`settings` are librdkafka's: {"bootstrap.servers": "kafka-1:9093", "security.protocol": "sasl_ssl",
"ssl.ca.location": "ca.pem", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": ..., "sasl.password": ...}.
"""

import hashlib
import json
import uuid
from datetime import datetime, timezone

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK, JWKSet
from jwcrypto.jws import JWS


def topic(kind, party, prefix=""):
    """`feeds`, `rejections`, `alerts`, `list` or `status` of a party; `prefix` is the hub's `kafka.topic_prefix`."""
    return f"{prefix}{kind}.{party.replace('_', '-')}.v1"


# Agencies, and services with their caseloads: publish.


class Feed:
    """A party's feed. The key is the scope, and the partitioner Java's: so a scope's events meet in one partition."""

    def __init__(self, party, settings, prefix=""):
        self.topic = topic("feeds", party, prefix)
        self.producer = Producer({**settings, "enable.idempotence": True, "partitioner": "murmur2"})
        self.failures = []

    def publish(self, event, binary=False):
        """Sends one CloudEvent: whole, or with its attributes as headers. `flush` tells whether it arrived."""
        if binary:
            attributes = {name: value for name, value in event.items() if name != "data"}
            headers = {"content-type": attributes.pop("datacontenttype", "application/json")}
            headers |= {f"ce_{name}": value for name, value in attributes.items()}
            value = event["data"]
        else:
            headers, value = {"content-type": "application/cloudevents+json"}, event
        arguments = {"key": event["data"]["scope"], "value": json.dumps(value), "headers": headers}
        while True:
            try:
                self.producer.produce(self.topic, **arguments, on_delivery=self._delivered)
                return
            except BufferError:
                self.producer.poll(1)

    def flush(self, timeout=60):
        """Waits until everything arrived. After an error send it again: the hub drops what it has already."""
        left = self.producer.flush(timeout)
        failures, self.failures = self.failures, []
        if left or failures:
            raise KafkaException(failures[0] if failures else KafkaError(KafkaError._TIMED_OUT))

    def _delivered(self, error, _):
        if error:
            self.failures.append(error)


# Both: read. Rejections are plain JSON; alerts and lists are sealed, heartbeats are signed.

# The client goes on by itself when no broker answers for a while.
PASSING = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._RESOLVE}


def records(topics, settings, start=None):
    """Every committed record of every partition, for ever. Keep `offset + 1` by (topic, partition) beside what you made
    of a record, and give it as `start` next time. The oldest come first in each partition; between partitions there is
    no order, and none is needed: what belongs together lies in one."""
    settings = {"group.id": "priorityd-kit", **settings, "isolation.level": "read_committed"}
    consumer = Consumer({**settings, "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    try:
        places = []
        for name in topics:
            found = consumer.list_topics(name, timeout=30).topics[name]
            if found.error:
                raise KafkaException(found.error)
            for partition in found.partitions:
                places.append(TopicPartition(name, partition, (start or {}).get((name, partition), OFFSET_BEGINNING)))
        consumer.assign(places)
        while True:
            record = consumer.poll(1)
            if record is None or (record.error() and record.error().code() in PASSING):
                continue
            if record.error():
                raise KafkaException(record.error())
            yield record
    finally:
        consumer.close()


# Services: open, keep, answer.


class Refused(Exception):
    """A message that is not what it has to be. Keep it, do not act on it, tell the hub."""


class Desk:
    """A service's desk: its private key, whom it trusts to sign, and what it was told."""

    def __init__(self, party, key, signers):
        """`key`: the service's JWK; `signers`: the hub's public JWK Set, from `/.well-known/jwks.json`. Both as JSON."""
        self.party, self.key, self.signers = party, JWK.from_json(key), JWKSet.from_json(signers)
        self.alerts, self.corrections, self.list, self.revisions = {}, {}, {}, {}

    def open(self, message, now=None):
        """The CloudEvent inside a message, checked from the outside to the inside."""
        try:
            jwe = JWE(algs=["ECDH-ES+A256KW", "A256GCM"])
            jwe.deserialize(message, self.key)
            event = self._verified(jwe.payload.decode())
            if datetime.fromisoformat(event["expirytime"]) <= (now or datetime.now(timezone.utc)):
                raise Refused("expired")
            return event
        except (JWException, ValueError, TypeError, KeyError) as error:
            raise Refused(type(error).__name__) from error

    def _verified(self, signed, kind=None):
        jws = JWS()
        jws.allowed_algs = ["ES256"]
        jws.deserialize(signed)
        signer = self.signers.get_key(jws.jose_header.get("kid"))
        if signer is None or (kind and jws.jose_header.get("typ") != kind):
            raise Refused("signed by nobody we know, or as something else")
        jws.verify(signer)
        event = json.loads(jws.payload)
        if event["recipient"] != self.party:
            raise Refused("addressed to somebody else")
        return event

    def take(self, record):
        """Takes a record of `alerts` or `list` in and gives its event back; `None` where an entry of the list ended.
        A record that comes twice changes nothing."""
        key, message = record.key().decode(), record.value()
        if message is None:
            self.list.pop(key, None)
            self.revisions.pop(key, None)
            return None
        event = self.open(message.decode())
        if event["id"] != key:
            raise Refused("under another message's key")
        kinds = {
            "uk.priorityd.alert.v1": self.alerts,
            "uk.priorityd.correction.v1": self.corrections,
            "uk.priorityd.list_entry.v1": self.list,
        }
        kinds.get(event["type"], {})[key] = event["data"]
        if "revision" in event:
            self.revisions[key] = (record.partition(), event["revision"])
        return event

    def heartbeat(self, record):
        """What a record of `status` says of its partition, and whether the list as we have it is `complete`. Silence beyond
        `next_by`, or a list that stays incomplete when everything was read, is a matter for a person."""
        try:
            said = self._verified(record.value().decode(), "priorityd-heartbeat+jws")["data"]
        except (JWException, ValueError, TypeError, KeyError) as error:
            raise Refused(type(error).__name__) from error
        ours = sorted(revision for partition, revision in self.revisions.values() if partition == record.partition())
        lines = "".join(f"{revision}\n" for revision in ours)
        complete = (len(ours), hashlib.sha256(lines.encode()).hexdigest()) == (said["entries"], said["digest"])
        return {**said, "complete": complete}

    def acknowledgement(self, alert, action, now=None):
        """The event that tells the hub what came of an alert: contacted, risk_reviewed, referred, no_action_needed.
        Publish it on the service's own feed."""
        now = (now or datetime.now(timezone.utc)).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": f"urn:priorityd:{self.party}",
            "type": "uk.priorityd.service.alert_acknowledged.v1",
            "data": {
                "scope": alert["source"].rsplit(":", 1)[1],
                "occurred_at": now,
                "recorded_at": now,
                "regime": "general",
                "alert": alert["data"]["alert_id"],
                "action": action,
            },
        }
