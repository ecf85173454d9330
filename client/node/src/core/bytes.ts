/**
 * The bytes of a message. A string is encoded as UTF-8, and never decoded as base64 or hex.
 *
 * @throws TypeError for another type, and for a string with a lone surrogate: different strings would have the same
 *   bytes
 */
export function messageBytes(message: string | Uint8Array): Uint8Array {
  if (typeof message !== 'string') {
    return requireBytes(message, 'the message is a string or a Uint8Array');
  }
  if (!message.isWellFormed()) {
    throw new TypeError('the message has a lone surrogate, which UTF-8 cannot encode');
  }
  return Buffer.from(message, 'utf8');
}

/**
 * The bytes of a MAC.
 *
 * @throws TypeError for another type. A string is refused: its encoding is not known.
 */
export function macBytesOf(mac: Uint8Array): Uint8Array {
  return requireBytes(mac, "the MAC is a Uint8Array; decode text first, for example with Buffer.from(text, 'hex')");
}

function requireBytes(value: Uint8Array, rule: string): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    throw new TypeError(rule);
  }
  return value;
}
