// Connects to hmacd with mutual TLS, and tells why it refused a call.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import protoFiles from 'google-proto-files';

const definitions = protoLoader.loadSync(
  [
    'hmacd/v1/key_service.proto',
    'hmacd/v1/mac_service.proto',
    'google/rpc/error_details.proto',
    'google/rpc/status.proto',
  ],
  {
    includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url)), protoFiles.getProtoPath('..')],
    enums: String,
  },
);
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
 * connect once, and keep it. A call without a `deadline` of its own
 * has this one.
 */
export function connect(target, credentials, timeoutMillis = 5000) {
  const deadline = (options, nextCall) =>
    new grpc.InterceptingCall(nextCall({ ...options, deadline: options.deadline ?? Date.now() + timeoutMillis }));
  const clients = [KeyService, MacService].map(
    (Service) => new Service(target, credentials, { interceptors: [deadline] }),
  );
  const hmacd = { close: () => clients.forEach((client) => client.close()) };
  for (const client of clients) {
    for (const { originalName } of Object.values(client.constructor.service)) {
      hmacd[originalName] = promisify(client[originalName]).bind(client);
    }
  }
  return hmacd;
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
