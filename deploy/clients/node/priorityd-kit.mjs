// What an agency and a specialist service need to exchange messages with priorityd over Kafka, on stock libraries:
// @platformatic/kafka and jose. Copy what you need.
//
// `connection` is the client's: { clientId, bootstrapBrokers: ["kafka-1:9093"], tls: { ca },
// sasl: { mechanism: "SCRAM-SHA-512", username, password } }.

import { createHash, randomUUID } from "node:crypto";
import { Consumer, Producer, compatibilityPartitioner, stringDeserializers, stringSerializers } from "@platformatic/kafka";
import { compactDecrypt, compactVerify, createLocalJWKSet, errors, importJWK } from "jose";

/** `feeds`, `rejections`, `alerts`, `list` or `status` of a party; `prefix` is the hub's `kafka.topic_prefix`. */
export function topic(kind, party, prefix = "") {
  return `${prefix}${kind}.${party.replaceAll("_", "-")}.v1`;
}

// Agencies, and services with their caseloads: publish.

/** A party's feed. The key is the scope, and the partitioner Java's: so a scope's events meet in one partition. */
export class Feed {
  #topic;
  #producer;

  constructor(party, connection, prefix = "") {
    this.#topic = topic("feeds", party, prefix);
    const options = { idempotent: true, partitioner: compatibilityPartitioner, serializers: stringSerializers };
    this.#producer = new Producer({ ...connection, ...options });
  }

  /** Sends CloudEvents, whole or with their attributes as headers. After an error send them again: the hub drops what it
   * has already. */
  async publish(events, binary = false) {
    const messages = events.map((event) => ({ topic: this.#topic, key: event.data.scope, ...(binary ? split(event) : whole(event)) }));
    await this.#producer.send({ messages });
  }

  async close() {
    await this.#producer.close();
  }
}

function whole(event) {
  return { headers: { "content-type": "application/cloudevents+json" }, value: JSON.stringify(event) };
}

function split({ data, datacontenttype = "application/json", ...attributes }) {
  const headers = Object.entries(attributes).map(([name, value]) => [`ce_${name}`, value]);
  return { headers: { "content-type": datacontenttype, ...Object.fromEntries(headers) }, value: JSON.stringify(data) };
}

// Both: read. Rejections are plain JSON; alerts and lists are sealed, heartbeats are signed.

/** Every committed record of every partition, for ever: `{ topic, partition, offset, key, value }`, a value that is missing
 * being a tombstone. Keep `offset + 1n` under `topic:partition` beside what you made of a record, and give that map as
 * `start` next time. The oldest come first in each partition; between partitions there is no order, and none is needed:
 * what belongs together lies in one. Nobody else may read in the same group. */
export async function* records(topics, connection, groupId, start = new Map()) {
  const consumer = new Consumer({ ...connection, groupId, deserializers: stringDeserializers });
  try {
    const metadata = await consumer.metadata({ topics });
    const offsets = topics.flatMap((name) =>
      Array.from({ length: metadata.topics.get(name).partitionsCount }, (_, partition) =>
        ({ topic: name, partition, offset: start.get(`${name}:${partition}`) ?? 0n })));
    const isolationLevel = 1; // read committed
    const options = { topics, mode: "manual", fallbackMode: "earliest", offsets, autocommit: false, isolationLevel };
    yield* await consumer.consume({ ...options, maxWaitTime: 500 });
  } finally {
    await consumer.close(true);
  }
}

// Services: open, keep, answer.

/** A message that is not what it has to be. Keep it, do not act on it, tell the hub. */
export class Refused extends Error {}

async function orRefuse(reading) {
  try {
    return await reading();
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof SyntaxError) throw new Refused(error.code ?? error.name);
    throw error;
  }
}

/** A service's desk: its private key, whom it trusts to sign, and what it was told. */
export class Desk {
  alerts = new Map();
  corrections = new Map();
  list = new Map();
  #revisions = new Map();
  #party;
  #key;
  #signers;

  /** `key`: the service's JWK; `signers`: the hub's public JWK Set, from `/.well-known/jwks.json`. Both as objects. */
  static async of(party, key, signers) {
    const desk = new Desk();
    [desk.#party, desk.#key, desk.#signers] = [party, await importJWK(key), createLocalJWKSet(signers)];
    return desk;
  }

  /** The CloudEvent inside a message, checked from the outside to the inside. */
  async open(message, now = new Date()) {
    const algorithms = { keyManagementAlgorithms: ["ECDH-ES+A256KW"], contentEncryptionAlgorithms: ["A256GCM"] };
    const event = await orRefuse(async () => {
      const { plaintext } = await compactDecrypt(message, this.#key, algorithms);
      return this.#verified(plaintext);
    });
    if (!(new Date(event.expirytime) > now)) throw new Refused("expired");
    return event;
  }

  async #verified(signed, kind) {
    const { payload, protectedHeader } = await compactVerify(signed, this.#signers, { algorithms: ["ES256"] });
    if (kind && protectedHeader.typ !== kind) throw new Refused("signed as something else");
    const event = JSON.parse(new TextDecoder().decode(payload));
    if (event.recipient !== this.#party) throw new Refused("addressed to somebody else");
    return event;
  }

  /** Takes a record of `alerts` or `list` in and gives its event back; nothing where an entry of the list ended. A record
   * that comes twice changes nothing. */
  async take({ partition, key, value }) {
    if (value == null) {
      this.list.delete(key);
      this.#revisions.delete(key);
      return undefined;
    }
    const event = await this.open(value);
    if (event.id !== key) throw new Refused("under another message's key");
    const kinds = {
      "uk.priorityd.alert.v1": this.alerts,
      "uk.priorityd.correction.v1": this.corrections,
      "uk.priorityd.list_entry.v1": this.list,
    };
    kinds[event.type]?.set(key, event.data);
    if (event.revision) this.#revisions.set(key, { partition, revision: event.revision });
    return event;
  }

  /** What a record of `status` says of its partition, and whether the list as we have it is `complete`. Silence beyond
   * `next_by`, or a list that stays incomplete when everything was read, is a matter for a person. */
  async heartbeat({ partition, value }) {
    const { data } = await orRefuse(() => this.#verified(value, "priorityd-heartbeat+jws"));
    const ours = [...this.#revisions.values()].filter((entry) => entry.partition === partition);
    const lines = ours.map(({ revision }) => `${revision}\n`).sort().join("");
    const digest = createHash("sha256").update(lines).digest("hex");
    return { ...data, complete: ours.length === data.entries && digest === data.digest };
  }

  /** The event that tells the hub what came of an alert: contacted, risk_reviewed, referred, no_action_needed. Publish it on
   * the service's own feed. */
  acknowledgement(alert, action, now = new Date()) {
    const time = now.toISOString();
    const scope = alert.source.slice(alert.source.lastIndexOf(":") + 1);
    return {
      specversion: "1.0",
      id: randomUUID(),
      source: `urn:priorityd:${this.#party}`,
      type: "uk.priorityd.service.alert_acknowledged.v1",
      data: { scope, occurred_at: time, recorded_at: time, regime: "general", alert: alert.data.alert_id, action },
    };
  }
}
