"""Drives the Python kit of `deploy/clients` for the tests. Reads one task as JSON from standard input and writes one JSON array.

`open`: each of `messages` as `{"opened": event}` or `{"refused": why}`. `publish`: `events` on a feed. `read`: the first
`count` records of `topics` as they are. `desk`: what a service knows after `count` records, `acknowledging` its first alert, and the first
`heartbeats`.
"""

import json
import sys
from datetime import datetime
from itertools import islice

from priorityd_kit import Desk, Feed, Refused, records, topic


def opened(desk, message, now):
    try:
        return {"opened": desk.open(message, now)}
    except Refused as refused:
        return {"refused": str(refused)}


def main():
    task = json.load(sys.stdin)
    party, prefix = task.get("party") or task["recipient"], task.get("prefix", "")
    settings = {"bootstrap.servers": task.get("bootstrap", "")}
    if "key" in task:
        desk = Desk(party, json.dumps(task["key"]), json.dumps(task["signers"]))
    match task.get("do", "open"):
        case "open":
            now = datetime.fromisoformat(task["now"])
            return [opened(desk, message, now) for message in task["messages"]]
        case "publish":
            feed = Feed(party, settings, prefix)
            for event in task["events"]:
                feed.publish(event, task["binary"])
            feed.flush()
            return []
        case "read":
            found = islice(records(task["topics"], settings), task["count"])
            return [{"partition": record.partition(), "value": record.value().decode()} for record in found]
        case "desk":
            topics = [topic(kind, party, prefix) for kind in ("alerts", "list")]
            events = [desk.take(record) for record in islice(records(topics, settings), task["count"])]
            if action := task.get("acknowledging"):
                alert = next(event for event in events if event and event["type"] == "uk.priorityd.alert.v1")
                feed = Feed(party, settings, prefix)
                feed.publish(desk.acknowledgement(alert, action))
                feed.flush()
            status = islice(records([topic("status", party, prefix)], settings), task["heartbeats"])
            return [{
                "alerts": desk.alerts,
                "corrections": desk.corrections,
                "list": desk.list,
                "tombstones": events.count(None),
                "heartbeats": [desk.heartbeat(record) for record in status],
            }]


json.dump(main(), sys.stdout)
