// The caller of client/events: makes calls at a fixed rate, and prints their outcomes as JSON: node load.js KEY

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { HmacdClient, HmacdError } from 'hmacd-client';

const MESSAGE = 'events';
const rate = Number(process.env.HMACD_LOAD_RATE);
const seconds = Number(process.env.HMACD_LOAD_SECONDS);
const timeoutMillis = Number(process.env.HMACD_LOAD_TIMEOUT_MS ?? 5000);
const closeAfter = process.env.HMACD_LOAD_CLOSE_AFTER;

async function load(client, key, right) {
  const result = { calls: 0, right: 0, wrong: 0, errors: {} };
  const times = [];

  async function call(planned) {
    try {
      const mac = await key.generate(MESSAGE, { timeoutMillis });
      result[mac.equals(right) ? 'right' : 'wrong'] += 1;
    } catch (error) {
      if (!(error instanceof HmacdError)) {
        throw error;
      }
      result.errors[error.reason] = (result.errors[error.reason] ?? 0) + 1;
    }
    times.push(performance.now() - planned);
  }

  const calls = [];
  const start = performance.now();
  if (closeAfter !== undefined) {
    setTimeout(() => client.close(), Number(closeAfter) * 1000);
  }
  for (let i = 0; i < rate * seconds; i += 1) {
    const planned = start + (1000 * i) / rate;
    const wait = planned - performance.now();
    if (wait > 0) {
      await sleep(wait);
    }
    calls.push(call(planned));
  }
  await Promise.all(calls);

  times.sort((a, b) => a - b);
  const quantile = (q) => times[Math.round(q * (times.length - 1))];
  return { ...result, calls: times.length, p50_ms: quantile(0.5), p99_ms: quantile(0.99), max_ms: times.at(-1) };
}

const client = HmacdClient.fromEnv();
const key = client.key(process.argv[2], 'HMAC_SHA_256');
let right;
for (let i = 0; i < Number(process.env.HMACD_LOAD_WARM_UP ?? 1); i += 1) {
  right = await key.generate(MESSAGE);
}

if (isMainThread) {
  console.log('ready');
  await once(process.stdin, 'data'); // The start of the load.
  process.stdin.destroy();
  let ofWorker;
  if (process.env.HMACD_LOAD_FORK !== undefined) {
    ofWorker = once(new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) }), 'message');
  }
  const result = await load(client, key, right);
  if (ofWorker) {
    const [message] = await ofWorker;
    console.log(JSON.stringify({ ...message, where: 'worker thread' }));
  }
  console.log(JSON.stringify(result));
} else {
  parentPort.postMessage(await load(client, key, right));
}
await client.close();
