import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  GenerateMacRequestSchema,
  GenerateMacResponseSchema,
  VerifyMacRequestSchema,
  VerifyMacResponseSchema,
} from '../gen/hmacd/v1/mac_service_pb.js';
import { macBytes, toWire, type MacAlgorithm } from './algorithms.js';
import type { Call } from './caller.js';
import { crc32c } from './crc32c.js';

/** GenerateMac with checksums. The answer has the MAC and the ARN of the key. */
export function generateMac(
  keyId: string,
  algorithm: MacAlgorithm,
  message: Uint8Array,
): Call<{ mac: Uint8Array; arn: string }> {
  const macAlgorithm = toWire(algorithm);
  const request = create(GenerateMacRequestSchema, { keyId, message, macAlgorithm, messageCrc32c: crc32c(message) });
  return {
    path: '/hmacd.v1.MacService/GenerateMac',
    request: toBinary(GenerateMacRequestSchema, request),
    size: message.length,
    repeatable: true,
    read: (bytes) => {
      const response = fromBinary(GenerateMacResponseSchema, bytes);
      const { mac } = response;
      undamaged(response.verifiedMessageCrc32c, 'the daemon did not check the message');
      undamaged(
        response.macAlgorithm === macAlgorithm && mac.length === macBytes[algorithm],
        'the MAC has another algorithm',
      );
      undamaged(response.macCrc32c === crc32c(mac), 'the MAC does not match its checksum');
      return { mac: mac.slice(), arn: response.keyId };
    },
  };
}

/** VerifyMac with checksums. An answer, the ARN of the key, means that the MAC is right. */
export function verifyMac(keyId: string, algorithm: MacAlgorithm, message: Uint8Array, mac: Uint8Array): Call<string> {
  const macAlgorithm = toWire(algorithm);
  const checksums = { messageCrc32c: crc32c(message), macCrc32c: crc32c(mac) };
  const request = create(VerifyMacRequestSchema, { keyId, message, macAlgorithm, mac, ...checksums });
  return {
    path: '/hmacd.v1.MacService/VerifyMac',
    request: toBinary(VerifyMacRequestSchema, request),
    size: message.length,
    repeatable: true,
    read: (bytes) => {
      const response = fromBinary(VerifyMacResponseSchema, bytes);
      undamaged(response.verifiedMessageCrc32c, 'the daemon did not check the message');
      undamaged(response.verifiedMacCrc32c, 'the daemon did not check the MAC');
      undamaged(response.macAlgorithm === macAlgorithm, 'the MAC has another algorithm');
      undamaged(response.macValid, 'the daemon gave no verdict');
      return response.keyId;
    },
  };
}

function undamaged(condition: boolean, damage: string): void {
  if (!condition) {
    throw new Error(`damage in transit: ${damage}`);
  }
}
