// Connects to hmacd with mutual TLS, and tells why it refused a call.

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
// Decodes a request with all of its fields, also those that have their default values.
const complete = protoLoader.loadSync(services, { ...options, defaults: true });
const { KeyService, MacService } = grpc.loadPackageDefinition(definitions).hmacd.v1;

/** Whom to trust and who we are: the files that the file `env` of hmacd dev names. */
export function credentialsFromEnv() {
  return grpc.credentials.createSsl(
    readFileSync(process.env.HMACD_CA),
    readFileSync(process.env.HMACD_KEY),
    readFileSync(process.env.HMACD_CERT),
  );
}

/**
 * The methods of both services, as functions that take a request and promise an answer. They share a connection:
 * connect once, and keep it. A call without a `deadline` of its own has this one.
 *
 * A request that would not arrive as it was given is a TypeError. proto-loader would send another
 * one: it takes text in a field of bytes for base64, and drops fields that the contract does not have.
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

/** What the bytes of a request say. */
function asSent({ path, requestSerialize }, request) {
  const [, service, method] = path.split('/');
  try {
    return complete[service][method].requestDeserialize(requestSerialize(request));
  } catch (error) {
    throw new TypeError(error.message, { cause: error });
  }
}

/** Compares a request with what its bytes say; a value that is undefined or null is not set. */
function requireUnchanged(given, sent, name) {
  if (given === undefined || given === null) {
    return;
  }
  if (sent instanceof Uint8Array) {
    if (!(given instanceof Uint8Array)) {
      throw new TypeError(`${name} takes a Buffer or Uint8Array: of text, Buffer.from(text)`);
    }
    if (!sent.equals(given)) {
      throw new TypeError(`${name} cannot be sent as it is`);
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
        throw new TypeError(`the contract has no field ${path} here`);
      }
      requireUnchanged(value, sent[field], path);
    }
  } else if (given !== sent) {
    throw new TypeError(`${name} is of another type, or no value that the contract has`);
  }
}

/**
 * Why hmacd refused the call, as a name from error_reason.proto; undefined when the error is not hmacd's, for example
 * when no connection was made.
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
