import { MacAlgorithm as Wire } from '../gen/hmacd/v1/mac_algorithm_pb.js';

/** HMAC (RFC 2104) with a SHA-2 hash. */
export type MacAlgorithm = 'HMAC_SHA_224' | 'HMAC_SHA_256' | 'HMAC_SHA_384' | 'HMAC_SHA_512';

/** The length of a MAC in bytes. */
export const macBytes: Readonly<Record<MacAlgorithm, number>> = {
  HMAC_SHA_224: 28,
  HMAC_SHA_256: 32,
  HMAC_SHA_384: 48,
  HMAC_SHA_512: 64,
};

export function isMacAlgorithm(value: unknown): value is MacAlgorithm {
  return typeof value === 'string' && Object.hasOwn(macBytes, value);
}

/** The algorithm of a value of the contract; undefined for an unknown or unspecified value. */
export function fromWire(value: Wire): MacAlgorithm | undefined {
  const name: string | undefined = Wire[value];
  return isMacAlgorithm(name) ? name : undefined;
}

export function toWire(algorithm: MacAlgorithm): Wire {
  return Wire[algorithm];
}
