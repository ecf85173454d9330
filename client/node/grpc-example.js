// Generates and verifies a MAC with hmacd: node grpc-example.js [KEY MESSAGE]
//
// Without a key, it creates one. The file "env" of hmacd dev sets the address and the certificates
// of hmacd in the environment.

import { connect, credentialsFromEnv, reason } from './hmacd-grpc.js';

const hmacd = connect(process.env.HMACD_TARGET, credentialsFromEnv());
try {
  let [keyId, text = 'pay 100 EUR to account 4711'] = process.argv.slice(2);
  if (keyId === undefined) {
    const { keyMetadata } = await hmacd.createKey({ keySpec: 'KEY_SPEC_HMAC_256' });
    keyId = keyMetadata.keyId;
    console.log('key', keyId);
  }

  // Fields have the names of the contract, in camel case. A message is bytes: encode text as UTF-8.
  const message = Buffer.from(text, 'utf8');
  const macAlgorithm = 'MAC_ALGORITHM_HMAC_SHA_256';
  const { mac } = await hmacd.generateMac({ keyId, message, macAlgorithm });
  console.log('mac', mac.toString('hex'));

  // An answer means that the MAC is correct. A wrong MAC is an error.
  await hmacd.verifyMac({ keyId, message, macAlgorithm, mac });
  console.log('verified');

  const changed = Buffer.from(`not ${text}`, 'utf8');
  await hmacd.verifyMac({ keyId, message: changed, macAlgorithm, mac }).then(
    () => {
      throw new Error('a changed message was not refused');
    },
    (error) => {
      if (reason(error) !== 'KMS_INVALID_MAC') {
        throw error; // Another error does not mean that the MAC is wrong.
      }
      console.log('refused', reason(error));
    },
  );
} finally {
  hmacd.close();
}
