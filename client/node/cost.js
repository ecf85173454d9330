// The caller of scripts/bench-clients: the cost of a call of the package, or of the stub alone.
//
// node cost.js stub|package KEY WARM_UP CALLS CONCURRENCY. The script has the meaning of the arguments, of the
// environment and of the output.

import { readFileSync } from 'node:fs';

const MESSAGE = Buffer.alloc(32, 'm');
const TIMEOUT_MILLIS = 5000;

/** Returns functions: `call` makes one call and resolves to the MAC. */
async function stub(name) {
  const { create, fromBinary, toBinary } = await import('@bufbuild/protobuf');
  const { credentials, makeClientConstructor } = await import('@grpc/grpc-js');
  const { MacAlgorithm, MacService } = await import('hmacd-client/contract');
  const { input, output } = MacService.method.generateMac;
  const Stub = makeClientConstructor({
    generateMac: {
      path: '/hmacd.v1.MacService/GenerateMac',
      requestStream: false,
      responseStream: false,
      requestSerialize: (request) => Buffer.from(toBinary(input, request)),
      requestDeserialize: (bytes) => fromBinary(input, bytes),
      responseSerialize: (response) => Buffer.from(toBinary(output, response)),
      responseDeserialize: (bytes) => fromBinary(output, bytes),
    },
  });
  const [ca, key, certificate] = ['HMACD_CA', 'HMACD_KEY', 'HMACD_CERT'].map((file) => readFileSync(process.env[file]));
  const client = new Stub(process.env.HMACD_TARGET, credentials.createSsl(ca, key, certificate));
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const request = create(input, { keyId: name, message: MESSAGE, macAlgorithm: MacAlgorithm.HMAC_SHA_256 });
        const deadline = Date.now() + TIMEOUT_MILLIS;
        client.generateMac(request, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer.mac)));
      }),
    close: () => client.close(),
  };
}

async function bundled(name) {
  const { HmacdClient } = await import('hmacd-client');
  const client = HmacdClient.fromEnv({ timeoutMillis: TIMEOUT_MILLIS });
  const key = client.key(name, 'HMAC_SHA_256');
  return { call: () => key.generate(MESSAGE), close: () => client.close() };
}

/** Makes calls in closed loops. Resolves to their number. */
async function loops(call, right, calls, concurrency) {
  const each = Math.ceil(calls / concurrency);
  const loop = async () => {
    for (let i = 0; i < each; i += 1) {
      if (Buffer.compare(await call(), right) !== 0) {
        throw new Error('a wrong MAC');
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  return each * concurrency;
}

const [mode, name, ...numbers] = process.argv.slice(2);
const [warmUp, calls, concurrency] = numbers.map(Number);
const { call, close } = await { stub, package: bundled }[mode](name);
const right = await call();
console.log('ready');
await loops(call, right, warmUp, concurrency);
const start = performance.now();
const cpuBefore = process.cpuUsage();
const made = await loops(call, right, calls, concurrency);
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
await close();
console.log(JSON.stringify({ calls: made, seconds, cpu_seconds: (user + system) / 1e6 }));
