import { isMacAlgorithm, macBytes, type MacAlgorithm } from './core/algorithms.js';
import { macBytesOf, messageBytes } from './core/bytes.js';
import type { CallOptions, Caller } from './core/caller.js';
import { beforeCall, HmacdError, InvalidMac, MessageTooLong } from './core/errors.js';
import { generateMac, verifyMac } from './core/mac-calls.js';

/** The part of a key that the adapters use. */
export interface MacKey {
  readonly algorithm: MacAlgorithm;
  /** The deadline of a call from its start. Without it, only the caller limits the calls. */
  readonly timeoutMillis?: number | undefined;
  /** The maximum length of a message in bytes. */
  readonly maxMessageBytes?: number | undefined;
  generate(message: string | Uint8Array, options?: CallOptions): Promise<Buffer>;
  verify(message: string | Uint8Array, mac: Uint8Array, options?: CallOptions): Promise<void>;
}

/** A key of the daemon, with its algorithm. Keep it as long as the client. */
export class Key implements MacKey {
  readonly #caller: Caller;
  readonly #maxMessageBytes: number;
  #arn: string;

  /** @internal Use `client.key` or `client.openKey`. */
  constructor(
    caller: Caller,
    maxMessageBytes: number,
    /** The name of the key: key id, key ARN, alias name or alias ARN. */
    readonly name: string,
    readonly algorithm: MacAlgorithm,
    arn = '',
  ) {
    if (typeof name !== 'string' || name.length < 1 || name.length > 2048) {
      throw new TypeError('the name of a key is a string of 1 to 2048 characters');
    }
    if (!isMacAlgorithm(algorithm)) {
      throw new TypeError(`the algorithm must be one of ${Object.keys(macBytes).join(', ')}`);
    }
    this.#caller = caller;
    this.#maxMessageBytes = maxMessageBytes;
    this.#arn = arn;
  }

  /** The ARN of the key in the last answer; empty before the first answer. */
  get arn(): string {
    return this.#arn;
  }

  /** The setting `timeoutMillis` of the client. */
  get timeoutMillis(): number {
    return this.#caller.timeoutMillis;
  }

  /** The setting `maxMessageBytes` of the client. */
  get maxMessageBytes(): number {
    return this.#maxMessageBytes;
  }

  /**
   * Computes the MAC of a message.
   *
   * @param message 1 to `maxMessageBytes` bytes; a string is encoded as UTF-8
   * @throws HmacdError if the call fails
   * @throws TypeError for an argument of a wrong type
   */
  async generate(message: string | Uint8Array, options?: CallOptions): Promise<Buffer> {
    const bytes = this.#checked(message);
    const { mac, arn } = await this.#caller.call(generateMac(this.name, this.algorithm, bytes), options);
    this.#arn = arn;
    return Buffer.from(mac.buffer, mac.byteOffset, mac.byteLength);
  }

  /**
   * Verifies a MAC. Returns only if the MAC is right.
   *
   * @param message 1 to `maxMessageBytes` bytes; a string is encoded as UTF-8
   * @param mac the bytes of the MAC; a string is a `TypeError`
   * @throws InvalidMac if the MAC is wrong
   * @throws HmacdError of any other type if there is no verdict
   * @throws TypeError for an argument of a wrong type
   */
  async verify(message: string | Uint8Array, mac: Uint8Array, options?: CallOptions): Promise<void> {
    const bytes = this.#checked(message);
    if (macBytesOf(mac).length !== macBytes[this.algorithm]) {
      throw new InvalidMac(beforeCall('KMS_INVALID_MAC', `the MAC has another length than that of ${this.algorithm}`));
    }
    this.#arn = await this.#caller.call(verifyMac(this.name, this.algorithm, bytes, mac), options);
  }

  #checked(message: string | Uint8Array): Uint8Array {
    const bytes = messageBytes(message);
    if (bytes.length === 0) {
      throw new HmacdError(beforeCall('INVALID_ARGUMENT', 'the message is empty'));
    }
    if (bytes.length > this.#maxMessageBytes) {
      const text = `the message has ${bytes.length} bytes, more than maxMessageBytes (${this.#maxMessageBytes})`;
      throw new MessageTooLong(beforeCall('MESSAGE_TOO_LONG', text), this.#maxMessageBytes, bytes.length);
    }
    return bytes;
  }
}
