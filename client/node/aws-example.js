// Generates and verifies a MAC with AWS's SDK, as with AWS KMS: node aws-example.js [KEY MESSAGE]
//
// Without a key, it creates one. AWS_ENDPOINT_URL_KMS sets the endpoint of hmacd.
// The file "env" of hmacd dev sets it, and also an access key and the region.

import {
  CreateKeyCommand,
  GenerateMacCommand,
  KMSClient,
  KMSInvalidMacException,
  VerifyMacCommand,
} from '@aws-sdk/client-kms';

const client = new KMSClient();
let [keyId, text = 'pay 100 EUR to account 4711'] = process.argv.slice(2);
if (keyId === undefined) {
  const command = new CreateKeyCommand({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  keyId = (await client.send(command)).KeyMetadata.KeyId;
  console.log('key', keyId);
}

const input = { KeyId: keyId, Message: Buffer.from(text, 'utf8'), MacAlgorithm: 'HMAC_SHA_256' };
const { Mac } = await client.send(new GenerateMacCommand(input));
console.log('mac', Buffer.from(Mac).toString('hex'));

// An answer means that the MAC is correct. A wrong MAC is an error.
await client.send(new VerifyMacCommand({ ...input, Mac }));
console.log('verified');

const changed = { ...input, Message: Buffer.from(`not ${text}`, 'utf8'), Mac };
await client.send(new VerifyMacCommand(changed)).then(
  () => {
    throw new Error('a changed message was not refused');
  },
  (error) => {
    if (!(error instanceof KMSInvalidMacException)) {
      throw error; // Another error does not mean that the MAC is wrong.
    }
    console.log('refused', error.name);
  },
);
