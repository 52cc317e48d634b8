// Drives the Node kit of `deploy/clients` for the tests. Tasks and answers are those of drive.py.

import { Desk, Feed, Refused, records, topic } from "./priorityd-kit.mjs";

async function opened(desk, message, now) {
  try {
    return { opened: await desk.open(message, now) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { refused: error.message };
  }
}

async function publish(task, connection, events, binary) {
  const feed = new Feed(task.party, connection, task.prefix);
  await feed.publish(events, binary);
  await feed.close();
}

async function first(count, topics, connection) {
  const found = [];
  if (count === 0) return found;
  for await (const record of records(topics, connection, `kit-${process.pid}`)) {
    found.push(record);
    if (found.length === count) break;
  }
  return found;
}

async function main() {
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  const task = JSON.parse(input);
  const connection = { clientId: "kit", bootstrapBrokers: [task.bootstrap] };
  const desk = task.key && (await Desk.of(task.party ?? task.recipient, task.key, task.signers));
  switch (task.do ?? "open") {
    case "open":
      return Promise.all(task.messages.map((message) => opened(desk, message, new Date(task.now))));
    case "publish":
      await publish(task, connection, task.events, task.binary);
      return [];
    case "read":
      return (await first(task.count, task.topics, connection)).map(({ partition, value }) => ({ partition, value }));
    case "desk": {
      const topics = ["alerts", "list"].map((kind) => topic(kind, task.party, task.prefix));
      const events = [];
      for (const record of await first(task.count, topics, connection)) events.push(await desk.take(record));
      if (task.acknowledging) {
        const alert = events.find((event) => event?.type === "uk.priorityd.alert.v1");
        await publish(task, connection, [desk.acknowledgement(alert, task.acknowledging)], false);
      }
      const tombstones = events.filter((event) => event === undefined).length;
      const [alerts, corrections, list] = [desk.alerts, desk.corrections, desk.list].map((map) => Object.fromEntries(map));
      const status = await first(task.heartbeats, [topic("status", task.party, task.prefix)], connection);
      const heartbeats = await Promise.all(status.map((record) => desk.heartbeat(record)));
      return [{ alerts, corrections, list, tombstones, heartbeats }];
    }
  }
  throw new Error("no such task");
}

process.stdout.write(JSON.stringify(await main()));
