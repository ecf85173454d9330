// Signs and checks webhooks as GitHub does, in the header X-Hub-Signature-256, under a key in the HSM.
//
// hmacd takes messages of 1 to 4096 bytes, as AWS KMS does: a longer body cannot be signed in this form.

import { GenerateMacCommand, KMSInvalidMacException, VerifyMacCommand } from '@aws-sdk/client-kms';

const MAX_BODY_BYTES = 4096;
const MacAlgorithm = 'HMAC_SHA_256';

/** The value of X-Hub-Signature-256 for the body, a Buffer. */
export async function signWebhook(kms, KeyId, body) {
  const { Mac } = await kms.send(new GenerateMacCommand({ KeyId, Message: body, MacAlgorithm }));
  return `sha256=${Buffer.from(Mac).toString('hex')}`;
}

/** Whether the header is the signature of the body, a Buffer with the very bytes that arrived. */
export async function verifyWebhook(kms, KeyId, body, header) {
  const [, hex] = /^sha256=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
  if (hex === undefined || body.length === 0 || body.length > MAX_BODY_BYTES) {
    return false; // hmacd calls such a request wrong, but it is the webhook that is.
  }
  const Mac = Buffer.from(hex, 'hex');
  try {
    await kms.send(new VerifyMacCommand({ KeyId, Message: body, MacAlgorithm, Mac }));
    return true;
  } catch (error) {
    if (error instanceof KMSInvalidMacException) {
      return false;
    }
    throw error; // No answer is no verdict.
  }
}
