// Signs and verifies webhooks as GitHub does, in the header X-Hub-Signature-256, under a key in the
// HSM.
//
// hmacd accepts messages of 1 to 4096 bytes, as AWS KMS does. A longer body cannot have a signature
// in this format.

import { GenerateMacCommand, KMSInvalidMacException, VerifyMacCommand } from '@aws-sdk/client-kms';

const MAX_BODY_BYTES = 4096;
const MacAlgorithm = 'HMAC_SHA_256';

/** Refuses text: text from another encoding than UTF-8 would have another MAC. */
function requireBytes(body) {
  if (!(body instanceof Uint8Array)) {
    throw new TypeError('the body must be a Buffer with the sent or received bytes');
  }
}

/** Returns the value of X-Hub-Signature-256 for the body, a Buffer. */
export async function signWebhook(kms, KeyId, body) {
  requireBytes(body);
  const { Mac } = await kms.send(new GenerateMacCommand({ KeyId, Message: body, MacAlgorithm }));
  return `sha256=${Buffer.from(Mac).toString('hex')}`;
}

/**
 * Returns whether the header is the signature of the body, a Buffer with the received bytes.
 *
 * An exception does not mean that the signature is wrong: it is a RangeError for a body of an
 * unsupported length, and the SDK's error for an outage.
 */
export async function verifyWebhook(kms, KeyId, body, header) {
  requireBytes(body);
  const [, hex] = (typeof header === 'string' && /^sha256=([0-9a-f]{64})$/.exec(header)) || [];
  if (hex === undefined) {
    return false;
  }
  if (body.length === 0 || body.length > MAX_BODY_BYTES) {
    throw new RangeError(`the body must have 1 to ${MAX_BODY_BYTES} bytes, but has ${body.length}`);
  }
  const Mac = Buffer.from(hex, 'hex');
  try {
    await kms.send(new VerifyMacCommand({ KeyId, Message: body, MacAlgorithm, Mac }));
    return true;
  } catch (error) {
    if (error instanceof KMSInvalidMacException) {
      return false;
    }
    throw error; // Any other error does not mean that the signature is wrong.
  }
}
