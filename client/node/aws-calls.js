// Makes the calls of client/aws/cases.py with AWS's SDK.

import { createInterface } from 'node:readline';
import * as kms from '@aws-sdk/client-kms';
import { NormalizedSchema } from '@smithy/core/schema';

async function make({ call, input, credentials, pages }) {
  const [accessKeyId, secretAccessKey] = credentials ?? [];
  const client = new kms.KMSClient(credentials ? { credentials: { accessKeyId, secretAccessKey } } : {});
  try {
    for (const [name, member] of NormalizedSchema.of(kms[`${call}Request$`]).structIterator()) {
      if (member.isBlobSchema() && name in input) {
        input[name] = Buffer.from(input[name], 'base64');
      }
    }
    if (!pages) {
      return await client.send(new kms[`${call}Command`](input));
    }
    const all = {};
    for await (const page of kms[`paginate${call}`]({ client, pageSize: 1 }, input)) {
      for (const [name, value] of Object.entries(page).filter(([, member]) => Array.isArray(member))) {
        (all[name] ??= []).push(...value);
      }
    }
    return all;
  } finally {
    client.destroy();
  }
}

function refusal(error) {
  if (!(error instanceof kms.KMSServiceException)) {
    return { fault: String(error) };
  }
  // The SDK has this text for an error without a text.
  const message = error.message === 'UnknownError' ? null : error.message;
  return { error: error.name, status: error.$metadata.httpStatusCode, message };
}

function plain(name, value) {
  if (name === '$metadata') {
    return undefined;
  }
  const given = this[name]; // `value` is the result of its toJSON.
  return given instanceof Uint8Array ? Buffer.from(given).toString('base64') : value;
}

for await (const line of createInterface({ input: process.stdin })) {
  const outcome = await make(JSON.parse(line)).then((answer) => ({ answer }), refusal);
  console.log(JSON.stringify(outcome, plain));
}
