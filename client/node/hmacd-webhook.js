// Signs and checks webhooks as GitHub does, in the header X-Hub-Signature-256, under a key in the HSM.
//
// hmacd takes messages of 1 to 4096 bytes: a longer body cannot be signed in this form.

import { reason } from './hmacd-grpc.js';

const MAX_BODY_BYTES = 4096;
const macAlgorithm = 'MAC_ALGORITHM_HMAC_SHA_256';

/** The value of X-Hub-Signature-256 for the body, a Buffer. */
export async function signWebhook(hmacd, keyId, body) {
  const { mac } = await hmacd.generateMac({ keyId, message: body, macAlgorithm });
  return `sha256=${mac.toString('hex')}`;
}

/** Whether the header is the signature of the body, a Buffer with the very bytes that arrived. */
export async function verifyWebhook(hmacd, keyId, body, header) {
  const [, hex] = /^sha256=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
  if (hex === undefined || body.length === 0 || body.length > MAX_BODY_BYTES) {
    return false; // hmacd calls such a request wrong, but it is the webhook that is.
  }
  try {
    await hmacd.verifyMac({ keyId, message: body, macAlgorithm, mac: Buffer.from(hex, 'hex') });
    return true;
  } catch (error) {
    if (reason(error) === 'KMS_INVALID_MAC') {
      return false;
    }
    throw error; // No answer is no verdict.
  }
}
