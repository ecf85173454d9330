import { create } from '@bufbuild/protobuf';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { macBytes, toWire, type MacAlgorithm } from '../core/algorithms.js';
import { crc32c } from '../core/crc32c.js';
import {
  DescribeKeyResponseSchema,
  type DescribeKeyRequest,
  type DescribeKeyResponse,
} from '../gen/hmacd/v1/key_service_pb.js';
import { KeyState } from '../gen/hmacd/v1/key_metadata_pb.js';
import {
  GenerateMacResponseSchema,
  VerifyMacResponseSchema,
  type GenerateMacRequest,
  type GenerateMacResponse,
  type VerifyMacRequest,
  type VerifyMacResponse,
} from '../gen/hmacd/v1/mac_service_pb.js';
import type { DaemonReason, RefusalOptions } from './refusal.js';

/** A key of the fake. */
export interface FakeKey {
  readonly algorithm: MacAlgorithm;
  /** The key material. Use a value of the test, never a real key. */
  readonly secret: Uint8Array;
}

/** A request that the fake refuses. */
export class Refused extends Error {
  constructor(
    readonly reason: DaemonReason,
    readonly options: RefusalOptions = {},
  ) {
    super(reason);
  }
}

/** The daemon's default of `grpc.limits.max_message_bytes`. */
const MAX_MESSAGE_BYTES = 65_536;

/** The rules of the daemon for requests, with HMAC of Node. */
export class FakeKeys {
  constructor(private readonly keys: Readonly<Record<string, FakeKey>>) {}

  generateMac(request: GenerateMacRequest): GenerateMacResponse {
    const mac = this.#mac(request);
    return create(GenerateMacResponseSchema, {
      keyId: arn(request.keyId),
      mac,
      macAlgorithm: request.macAlgorithm,
      keyVersion: 1,
      macCrc32c: crc32c(mac),
      verifiedMessageCrc32c: request.messageCrc32c !== undefined,
    });
  }

  verifyMac(request: VerifyMacRequest): VerifyMacResponse {
    const { mac, macCrc32c } = request;
    requireMatch(mac, macCrc32c);
    const expected = this.#mac(request);
    if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) {
      throw new Refused('KMS_INVALID_MAC');
    }
    return create(VerifyMacResponseSchema, {
      keyId: arn(request.keyId),
      macValid: true,
      macAlgorithm: request.macAlgorithm,
      keyVersion: 1,
      verifiedMessageCrc32c: request.messageCrc32c !== undefined,
      verifiedMacCrc32c: macCrc32c !== undefined,
    });
  }

  describeKey({ keyId }: DescribeKeyRequest): DescribeKeyResponse {
    const { algorithm } = this.#key(keyId);
    const macAlgorithms = [toWire(algorithm)];
    return create(DescribeKeyResponseSchema, {
      keyMetadata: { keyId, keyArn: arn(keyId), keyState: KeyState.ENABLED, macAlgorithms, currentKeyVersion: 1 },
    });
  }

  #mac({ keyId, message, macAlgorithm, messageCrc32c }: GenerateMacRequest | VerifyMacRequest): Buffer {
    requireMatch(message, messageCrc32c);
    if (message.length < 1) {
      throw new Refused('INVALID_FIELD');
    }
    if (message.length > MAX_MESSAGE_BYTES) {
      const metadata = { maximum: `${MAX_MESSAGE_BYTES}`, given: `${message.length}` };
      throw new Refused('MESSAGE_TOO_LONG', { metadata });
    }
    const { algorithm, secret } = this.#key(keyId);
    if (macAlgorithm !== toWire(algorithm)) {
      throw new Refused('INVALID_KEY_USAGE');
    }
    return createHmac(`sha${macBytes[algorithm] * 8}`, secret)
      .update(message)
      .digest();
  }

  #key(name: string): FakeKey {
    if (!Object.hasOwn(this.keys, name)) {
      throw new Refused('KEY_NOT_FOUND');
    }
    return this.keys[name]!;
  }
}

function requireMatch(bytes: Uint8Array, checksum: number | undefined): void {
  if (checksum !== undefined && checksum !== crc32c(bytes)) {
    throw new Refused('CHECKSUM_MISMATCH');
  }
}

function arn(name: string): string {
  return `arn:aws:kms:us-east-1:000000000000:key/${name}`;
}
