// The program of client/conformance: makes one call for each line of JSON, and prints its outcome.

import { createInterface } from 'node:readline';
import { HmacdClient, HmacdError } from 'hmacd-client';

let client = HmacdClient.fromEnv();

async function outcome({ operation, key: name, algorithm, message, mac, timeout_ms: timeoutMillis }) {
  const options = timeoutMillis === undefined ? {} : { timeoutMillis };
  const bytes = (text) => Buffer.from(text, 'base64');
  switch (operation) {
    case 'open':
      await client.close();
      client = HmacdClient.fromEnv();
      return { outcome: 'done' };
    case 'close':
      await client.close();
      return { outcome: 'done' };
    case 'doctor':
      return { outcome: 'lines', lines: await client.doctor() };
    case 'open_key': {
      const key = await client.openKey(name, options);
      return { outcome: 'key', algorithm: key.algorithm, arn: key.arn };
    }
    case 'generate': {
      const made = await client.key(name, algorithm).generate(bytes(message), options);
      return { outcome: 'mac', mac: made.toString('base64') };
    }
    default:
      await client.key(name, algorithm).verify(bytes(message), bytes(mac), options);
      return { outcome: 'right' };
  }
}

function failure(error) {
  const { name, message: text } = error;
  if (!(error instanceof HmacdError)) {
    return { outcome: 'error', type: name, text };
  }
  const { reason, retryable, mayHaveRun, target, attempts, requestId, limit, size } = error;
  const type = name === 'HmacdError' ? 'Hmacd' : name;
  const fields = { reason, retryable, may_have_run: mayHaveRun, target, attempts, request_id: requestId, limit, size };
  return { outcome: 'error', type, text, ...fields };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcome(JSON.parse(line)).catch(failure)));
}
await client.close();
