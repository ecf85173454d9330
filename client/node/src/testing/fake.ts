import { create, fromBinary, toBinary, type DescMethodUnary, type MessageShape } from '@bufbuild/protobuf';
import { Metadata, Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HmacdClient } from '../client.js';
import type { Settings } from '../core/settings.js';
import { Health, HealthCheckResponse_ServingStatus, HealthCheckResponseSchema } from '../gen/health/v1/health_pb.js';
import { KeyService } from '../gen/hmacd/v1/key_service_pb.js';
import { MacService } from '../gen/hmacd/v1/mac_service_pb.js';
import { FakeKeys, Refused, type FakeKey } from './daemon.js';
import { refusal, type DaemonReason, type RefusalOptions } from './refusal.js';

/** One attempt of a call at the fake. */
export interface FakeCall {
  /** The name of the method, for example `GenerateMac`. */
  readonly method: string;
  /** The deadline of the attempt, in milliseconds since 1970; Infinity without a deadline. */
  readonly deadline: number;
  readonly userAgent: string;
  /** The address of the client; different for each connection over TCP. */
  readonly peer: string;
  /** How the attempt ended. */
  readonly ended: Promise<'answered' | 'failed' | 'cancelled'>;
}

type Order =
  | { readonly kind: 'fail'; readonly reason: DaemonReason | 'CONNECTION_FAILED'; readonly options: RefusalOptions }
  | { readonly kind: 'delay'; readonly millis: number }
  | { readonly kind: 'damage' }
  | { readonly kind: 'ignore' };

/** Where a fake listens. */
export interface Listener {
  /** An address of gRPC; `127.0.0.1:0` selects a free port. */
  readonly address: string;
  readonly credentials: ServerCredentials;
}

/**
 * An hmacd in the process of the test: MacService with HMAC of Node under keys of the test, DescribeKey, and health.
 * The client connects to a Unix socket in the folder of temporary files.
 *
 * Each order applies to the next attempts of MacService and KeyService that have no order yet.
 */
export class FakeHmacd {
  readonly #keys: FakeKeys;
  readonly #credentials: ServerCredentials;
  readonly #orders: Order[] = [];
  readonly #calls: FakeCall[] = [];
  readonly #clients: HmacdClient[] = [];
  readonly #folder: string;
  #address: string;
  #server: Server | undefined;

  private constructor(keys: Readonly<Record<string, FakeKey>>, listener: Listener | undefined) {
    this.#keys = new FakeKeys(keys);
    this.#folder = mkdtempSync(join(tmpdir(), 'hmacd-'));
    this.#address = listener?.address ?? `unix:${join(this.#folder, 'fake.sock')}`;
    this.#credentials = listener?.credentials ?? ServerCredentials.createInsecure();
  }

  /**
   * Starts a fake.
   *
   * @param keys the keys by the names that the client uses
   * @param listener another address than the Unix socket
   */
  static async start(keys: Readonly<Record<string, FakeKey>>, listener?: Listener): Promise<FakeHmacd> {
    const fake = new FakeHmacd(keys, listener);
    await fake.start();
    return fake;
  }

  /** The target for the settings of a client. */
  get target(): string {
    return this.#address;
  }

  /** The attempts of MacService and KeyService, in the order of their arrival. */
  get calls(): readonly FakeCall[] {
    return this.#calls;
  }

  /** A client of the fake. `close` of the fake closes it, too. */
  client(settings: Partial<Settings> = {}): HmacdClient {
    const client = new HmacdClient({ targets: [this.target], ...settings });
    this.#clients.push(client);
    return client;
  }

  /** The next attempts fail with a reason of the daemon, or as attempts without a connection. */
  failNext(count: number, reason: DaemonReason | 'CONNECTION_FAILED', options: RefusalOptions = {}): void {
    this.#order(count, { kind: 'fail', reason, options });
  }

  /** The answers to the next attempts are late. */
  delayNext(count: number, millis: number): void {
    this.#order(count, { kind: 'delay', millis });
  }

  /** The answers to the next attempts are damaged: a wrong CRC32C, or no check of the request's CRC32C. */
  damageNext(count: number): void {
    this.#order(count, { kind: 'damage' });
  }

  /** The next attempts get no answer. */
  ignoreNext(count: number): void {
    this.#order(count, { kind: 'ignore' });
  }

  /** Ends the fake at once, like a crash: attempts get no answer, and connections are refused. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  /** Starts the fake again after `stop`, at the same address. */
  async start(): Promise<void> {
    const server = new Server();
    server.addService(...this.#handler(MacService.method.generateMac, (request) => this.#keys.generateMac(request)));
    server.addService(...this.#handler(MacService.method.verifyMac, (request) => this.#keys.verifyMac(request)));
    server.addService(...this.#handler(KeyService.method.describeKey, (request) => this.#keys.describeKey(request)));
    server.addService(...handlerOf(Health.method.check, (_, done) => done(null, servingResponse)));
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(this.#address, this.#credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
    );
    this.#address = this.#address.replace(/:0$/, `:${port}`);
    this.#server = server;
  }

  /** Ends the fake, and closes its clients. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all(this.#clients.map((client) => client.close()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #order(count: number, order: Order): void {
    this.#orders.push(...Array.from({ length: count }, () => order));
  }

  #handler<M extends DescMethodUnary>(
    method: M,
    answer: (request: MessageShape<M['input']>) => MessageShape<M['output']>,
  ): Parameters<Server['addService']> {
    return handlerOf(method, (call, done) => this.#serve(method, call, answer, done));
  }

  #serve<M extends DescMethodUnary>(
    method: M,
    call: ServerUnaryCall<MessageShape<M['input']>, MessageShape<M['output']>>,
    answer: (request: MessageShape<M['input']>) => MessageShape<M['output']>,
    done: sendUnaryData<MessageShape<M['output']>>,
  ): void {
    const order = this.#orders.shift();
    const { promise: ended, resolve: end } = withResolvers<'answered' | 'failed' | 'cancelled'>();
    call.on('cancelled', () => end('cancelled'));
    const userAgent = String(call.metadata.get('user-agent')[0]);
    const deadline = Number(call.getDeadline());
    this.#calls.push({ method: method.name, deadline, userAgent, peer: call.getPeer(), ended });
    const trailer = new Metadata();
    trailer.set('x-request-id', randomUUID());
    const respond = () => {
      try {
        if (order?.kind === 'fail') {
          throw refusal(order.reason, order.options);
        }
        const response = answer(call.request);
        done(null, order?.kind === 'damage' ? damaged(response) : response, trailer);
        end('answered');
      } catch (error) {
        const failure = error instanceof Refused ? refusal(error.reason, error.options) : error;
        (failure as { metadata: Metadata }).metadata.merge(trailer);
        done(failure as Parameters<typeof done>[0]);
        end('failed');
      }
    };
    if (order?.kind === 'delay') {
      const timer = setTimeout(respond, order.millis);
      call.on('cancelled', () => clearTimeout(timer));
    } else if (order?.kind !== 'ignore') {
      respond();
    }
  }
}

const servingResponse = create(HealthCheckResponseSchema, { status: HealthCheckResponse_ServingStatus.SERVING });

/** Changes the checksum, or the report of its check, in a response. */
function damaged<Response extends object>(response: Response): Response {
  if ('macCrc32c' in response) {
    return { ...response, macCrc32c: (Number(response.macCrc32c) ^ 1) >>> 0 };
  }
  return { ...response, verifiedMessageCrc32c: false };
}

function handlerOf<M extends DescMethodUnary>(
  method: M,
  handle: (
    call: ServerUnaryCall<MessageShape<M['input']>, MessageShape<M['output']>>,
    done: sendUnaryData<MessageShape<M['output']>>,
  ) => void,
): Parameters<Server['addService']> {
  const definition = {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: (message: MessageShape<M['input']>) => Buffer.from(toBinary<M['input']>(method.input, message)),
    requestDeserialize: (bytes: Buffer) => fromBinary<M['input']>(method.input, bytes),
    responseSerialize: (message: MessageShape<M['output']>) =>
      Buffer.from(toBinary<M['output']>(method.output, message)),
    responseDeserialize: (bytes: Buffer) => fromBinary<M['output']>(method.output, bytes),
  };
  return [{ [method.localName]: definition }, { [method.localName]: handle }];
}

// Promise.withResolvers of Node 22.
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((given) => (resolve = given));
  return { promise, resolve };
}
