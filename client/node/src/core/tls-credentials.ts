import { ChannelCredentials, credentials } from '@grpc/grpc-js';
import type { Socket } from 'node:net';
import type { TlsSet } from './tls-files.js';

type ConnectorOptions = Parameters<ChannelCredentials['_createSecureConnector']>;
type SecureConnector = ReturnType<ChannelCredentials['_createSecureConnector']>;

/**
 * Credentials of a channel with mutual TLS.
 *
 * The TLS handshakes of grpc-js's own credentials keep the process alive, and go on after the channel is closed. The
 * methods with an underscore are internals of grpc-js, so package.json has its exact version.
 */
export class TlsCredentials extends ChannelCredentials {
  readonly #ssl: ChannelCredentials;

  constructor({ ca, privateKey, certificate }: TlsSet) {
    super();
    this.#ssl = credentials.createSsl(ca, privateKey, certificate);
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(...options: ConnectorOptions): SecureConnector {
    return new TlsConnector(this.#ssl._createSecureConnector(...options));
  }
}

/** Makes TLS handshakes that do not keep the process alive. */
class TlsConnector implements SecureConnector {
  readonly #connector: SecureConnector;
  readonly #handshakes = new Set<Socket>();
  #destroyed = false;

  constructor(connector: SecureConnector) {
    this.#connector = connector;
  }

  async connect(socket: Socket): ReturnType<SecureConnector['connect']> {
    if (this.#destroyed) {
      throw new Error('the channel is closed'); // grpc-js destroys the socket.
    }
    socket.unref(); // A call that waits for the connection has a timer of grpc-js, which keeps the process alive.
    this.#handshakes.add(socket);
    try {
      return await this.#connector.connect(socket);
    } finally {
      this.#handshakes.delete(socket);
    }
  }

  waitForReady(): Promise<void> {
    return this.#connector.waitForReady();
  }

  getCallCredentials(): ReturnType<SecureConnector['getCallCredentials']> {
    return this.#connector.getCallCredentials();
  }

  /** Ends the handshakes. grpc-js calls it when the channel is closed. */
  destroy(): void {
    this.#destroyed = true;
    this.#handshakes.forEach((socket) => socket.destroy());
    this.#connector.destroy();
  }
}
