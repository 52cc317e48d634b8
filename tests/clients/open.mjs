// Opens messages with jose: all that a specialist service needs to read what priorityd sends it. Input and output are
// those of open.py.

import { compactDecrypt, compactVerify, createLocalJWKSet, errors, importJWK } from "jose";

class Refused extends Error {}

async function openMessage(message, key, signers, recipient, now) {
  const { plaintext } = await compactDecrypt(message, key, {
    keyManagementAlgorithms: ["ECDH-ES+A256KW"],
    contentEncryptionAlgorithms: ["A256GCM"],
  });
  const { payload } = await compactVerify(plaintext, signers, { algorithms: ["ES256"] });
  const text = new TextDecoder().decode(payload);
  const event = JSON.parse(text);
  if (event.recipient !== recipient) throw new Refused("addressed to somebody else");
  if (new Date(event.expirytime) <= now) throw new Refused("expired");
  return text;
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
const task = JSON.parse(input);
const key = await importJWK(task.key);
const signers = createLocalJWKSet(task.signers);
const results = [];
for (const message of task.messages) {
  try {
    results.push({ opened: await openMessage(message, key, signers, task.recipient, new Date(task.now)) });
  } catch (error) {
    if (!(error instanceof errors.JOSEError || error instanceof Refused)) throw error;
    results.push({ refused: `${error.code ?? "REFUSED"}: ${error.message}` });
  }
}
process.stdout.write(JSON.stringify(results));
