import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type TLSSocket } from 'node:tls';
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
} from '../gen/health/v1/health_pb.js';
import { Cancellation } from './cancellation.js';
import type { Channels } from './channels.js';
import { Connection } from './connection.js';
import type { CheckedSettings } from './settings.js';
import type { Target } from './target.js';
import { tlsCredentials } from './tls-credentials.js';
import type { TlsSet } from './tls-files.js';

/** A failed check. The text is `<check>: <what is wrong>`. */
class Finding extends Error {}

/**
 * Checks each target: the files, the name, the connection, TLS, and the health of the daemon. Makes no MAC.
 *
 * Returns one line for each target: `ok: <target>, <facts>` or `failed: <target>, <check>: <what is wrong>`, with the
 * first check that failed.
 */
export function diagnose(settings: CheckedSettings, channels: Channels): Promise<string[]> {
  return Promise.all(
    settings.targets.map(async (target) => {
      try {
        return `ok: ${[target.name, ...(await examine(target, settings, channels))].join(', ')}`;
      } catch (error) {
        const found = error instanceof Finding ? error.message : `unexpected: ${(error as Error).message}`;
        return `failed: ${target.name}, ${found}`;
      }
    }),
  );
}

async function examine(target: Target, settings: CheckedSettings, channels: Channels): Promise<string[]> {
  const limit = settings.timeoutMillis;
  if (target.address === undefined) {
    endAtOnce(await openSocket({ path: target.uri.slice('unix:'.length) }, limit));
    return [await health(target, credentials.createInsecure(), limit)];
  }
  const files = await checkFiles(channels, limit);
  await lookup(target.address.host).catch((error: NodeJS.ErrnoException) => {
    throw new Finding(`name: ${target.address!.host} was not found (${error.code})`);
  });
  const socket = await openTls(await openSocket(target.address, limit), target.address.host, files, limit);
  const facts = [
    socket.getProtocol() ?? 'TLS',
    `the daemon's certificate ends at ${new Date(socket.getPeerCertificate().valid_to).toISOString()}`,
    `the client's certificate ends at ${files.notAfter.toISOString()}`,
  ];
  endAtOnce(socket);
  return [...facts, await health(target, tlsCredentials(files), limit)];
}

async function checkFiles(channels: Channels, limitMillis: number): Promise<TlsSet> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the read of the files does not end')), limitMillis);
  });
  try {
    return await Promise.race([channels.inspectFiles()!, late]);
  } catch (error) {
    throw new Finding(`files: ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
  }
}

function openSocket(address: { host: string; port: number } | { path: string }, limitMillis: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(address, () => resolve(socket));
    limitTime(socket, limitMillis, () => reject(new Finding('connection: no answer')));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const found = error.code === 'ECONNREFUSED' ? 'refused' : `failed (${error.code})`;
      reject(new Finding(`connection: ${found}`));
    });
  });
}

function openTls(socket: Socket, host: string, files: TlsSet, limitMillis: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { ca, certificate: cert, privateKey: key } = files;
    // The checks follow, with a text for each.
    const options = { socket, ca, cert, key, ALPNProtocols: ['h2'], rejectUnauthorized: false };
    const secure = connectTls(isIP(host) ? options : { ...options, servername: host }, () => {
      const problem = peerProblem(secure, host);
      if (problem === undefined) {
        resolve(secure);
      } else {
        endAtOnce(secure);
        reject(new Finding(problem));
      }
    });
    const noTls = () => reject(new Finding('TLS: the peer does not answer as a TLS server'));
    limitTime(secure, limitMillis, noTls);
    secure.on('error', noTls).on('close', noTls);
  });
}

/** Why the certificate of the daemon is not good; undefined if it is. */
function peerProblem(socket: TLSSocket, host: string): string | undefined {
  const error = socket.authorizationError as unknown as string | null; // A code of OpenSSL.
  if (error === 'CERT_HAS_EXPIRED' || error === 'CERT_NOT_YET_VALID') {
    return "daemon's certificate: ended, or not valid yet";
  }
  if (error !== null && error !== 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `daemon's certificate: not trusted by the file of the setting ca (${error})`;
  }
  return checkServerIdentity(host, socket.getPeerCertificate())
    ? `daemon's name: its certificate is not for ${host}`
    : undefined;
}

/** The health status. A daemon that refuses the client certificate does so at its first frame. */
async function health(target: Target, channel: ChannelCredentials, limitMillis: number): Promise<string> {
  const connection = new Connection(target, channel);
  try {
    const result = await connection.attempt({
      path: '/grpc.health.v1.Health/Check',
      request: toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema)),
      deadline: performance.now() + limitMillis,
      waits: () => false,
      cancellation: new Cancellation(),
    });
    if ('failure' in result) {
      const { reason, text, transport, answered } = result.failure;
      // TLS was good a moment ago: the connection ends here because of the client certificate.
      const check = target.address !== undefined && transport && !answered ? 'client certificate' : 'health';
      throw new Finding(`${check}: ${reason}, ${text}`);
    }
    const { status } = fromBinary(HealthCheckResponseSchema, result.response);
    if (status !== ServingStatus.SERVING) {
      throw new Finding(`health: the status is ${ServingStatus[status] ?? status}`);
    }
    return 'SERVING';
  } finally {
    connection.close();
  }
}

function limitTime(socket: Socket, millis: number, late: () => void): void {
  socket.setTimeout(millis, () => {
    late();
    socket.destroy();
  });
}

function endAtOnce(socket: Socket): void {
  socket.on('error', () => {}).destroy();
}
