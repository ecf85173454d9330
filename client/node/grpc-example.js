// Generates and verifies a MAC with hmacd: node grpc-example.js [KEY MESSAGE]
//
// Without a key, it creates one. The file "env" of hmacd dev sets the address and the certificates
// of hmacd in the environment.

import { HmacdClient, InvalidMac } from 'hmacd-client';
import { KeyService, KeySpec } from 'hmacd-client/contract';

const client = HmacdClient.fromEnv();
try {
  let [name, message = 'pay 100 EUR to account 4711'] = process.argv.slice(2);
  if (name === undefined) {
    const { keyMetadata } = await client.call(KeyService.method.createKey, { keySpec: KeySpec.HMAC_256 });
    name = keyMetadata.keyId;
    console.log('key', name);
  }

  const key = client.key(name, 'HMAC_SHA_256');
  const mac = await key.generate(message);
  console.log('mac', mac.toString('hex'));

  // verify returns only if the MAC is right.
  await key.verify(message, mac);
  console.log('verified');

  await key.verify(`not ${message}`, mac).then(
    () => {
      throw new Error('a changed message was not refused');
    },
    (error) => {
      if (!(error instanceof InvalidMac)) {
        throw error; // Another error does not mean that the MAC is wrong.
      }
      console.log('refused', error.reason);
    },
  );
} finally {
  await client.close();
}
