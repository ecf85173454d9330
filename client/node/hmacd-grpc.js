// Connects to hmacd with mutual TLS, and reads the reasons of errors.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import protoFiles from 'google-proto-files';

const services = ['hmacd/v1/key_service.proto', 'hmacd/v1/mac_service.proto'];
const options = {
  includeDirs: [
    fileURLToPath(new URL('../../proto', import.meta.url)),
    protoFiles.getProtoPath('..'),
  ],
  enums: String,
};
const definitions = protoLoader.loadSync(
  [...services, 'google/rpc/error_details.proto', 'google/rpc/status.proto'],
  options,
);
// Decodes a request with all of its fields, also those with default values.
const complete = protoLoader.loadSync(services, { ...options, defaults: true });
const { KeyService, MacService } = grpc.loadPackageDefinition(definitions).hmacd.v1;

/** Reads the authorities, the client's key and its certificate from the files in the environment of hmacd dev. */
export function credentialsFromEnv() {
  return grpc.credentials.createSsl(
    readFileSync(process.env.HMACD_CA),
    readFileSync(process.env.HMACD_KEY),
    readFileSync(process.env.HMACD_CERT),
  );
}

/**
 * Connects to a daemon. Returns an object with the methods of both services: functions that take a request and
 * return a promise. All methods share one connection: connect once, and keep the object. A call without its own
 * `deadline` has the deadline of `timeoutMillis`.
 *
 * A request that proto-loader would change is a TypeError: proto-loader decodes text in a field of bytes as base64,
 * and drops fields that are not in the contract.
 */
export function connect(target, credentials, timeoutMillis = 5000) {
  const deadline = (options, nextCall) =>
    new grpc.InterceptingCall(nextCall({ ...options, deadline: options.deadline ?? Date.now() + timeoutMillis }));
  const clients = [KeyService, MacService].map(
    (Service) => new Service(target, credentials, { interceptors: [deadline] }),
  );
  const hmacd = { close: () => clients.forEach((client) => client.close()) };
  for (const client of clients) {
    for (const method of Object.values(client.constructor.service)) {
      const call = promisify(client[method.originalName]).bind(client);
      hmacd[method.originalName] = async (request, ...others) => {
        requireUnchanged(request, asSent(method, request), '');
        return call(request, ...others);
      };
    }
  }
  return hmacd;
}

/** Encodes and decodes a request. */
function asSent({ path, requestSerialize }, request) {
  const [, service, method] = path.split('/');
  try {
    return complete[service][method].requestDeserialize(requestSerialize(request));
  } catch (error) {
    throw new TypeError(error.message, { cause: error });
  }
}

/** Requires that a request equals its decoded bytes. A field with undefined or null is not set. */
function requireUnchanged(given, sent, name) {
  if (given === undefined || given === null) {
    return;
  }
  if (sent instanceof Uint8Array) {
    if (!(given instanceof Uint8Array)) {
      throw new TypeError(`${name} takes a Buffer or Uint8Array; for text, use Buffer.from(text)`);
    }
    if (!sent.equals(given)) {
      throw new TypeError(`${name} cannot be sent unchanged`);
    }
  } else if (Array.isArray(sent)) {
    if (!Array.isArray(given) || given.length !== sent.length) {
      throw new TypeError(`${name} takes an array`);
    }
    given.forEach((item, i) => requireUnchanged(item, sent[i], `${name}[${i}]`));
  } else if (typeof sent === 'object' && sent !== null) {
    if (typeof given !== 'object') {
      throw new TypeError(`${name || 'a request'} takes an object`);
    }
    for (const [field, value] of Object.entries(given)) {
      const path = name ? `${name}.${field}` : field;
      if (value !== undefined && !Object.hasOwn(sent, field)) {
        throw new TypeError(`the contract has no field ${path}`);
      }
      requireUnchanged(value, sent[field], path);
    }
  } else if (given !== sent) {
    throw new TypeError(`${name} has a wrong type or an unknown value`);
  }
}

/**
 * Returns the reason of an error, a name in error_reason.proto. Undefined if the error is not from hmacd, for example
 * if the connection failed.
 */
export function reason(error) {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (!bytes) {
    return undefined;
  }
  return definitions['google.rpc.Status'].deserialize(bytes).details
    .filter((detail) => detail.type_url.endsWith('/google.rpc.ErrorInfo'))
    .map((detail) => definitions['google.rpc.ErrorInfo'].deserialize(detail.value))
    .find((info) => info.domain === 'hmacd.dev')?.reason;
}
