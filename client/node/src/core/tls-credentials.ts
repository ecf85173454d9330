import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import type { Socket } from 'node:net';
import type { TlsSet } from './tls-files.js';

type SecureConnector = ReturnType<ChannelCredentials['_createSecureConnector']>;

/**
 * Credentials of a channel with mutual TLS.
 *
 * The TLS handshakes of grpc-js keep the process alive, and go on after the channel is closed. A method with an
 * underscore is an internal of grpc-js: if another version does not have it, only these handshakes are as in grpc-js.
 */
export function tlsCredentials({ ca, privateKey, certificate }: TlsSet): ChannelCredentials {
  const ssl = credentials.createSsl(ca, privateKey, certificate);
  const create = ssl._createSecureConnector?.bind(ssl);
  if (create !== undefined) {
    ssl._createSecureConnector = (...options) => withoutReference(create(...options));
  }
  return ssl;
}

/** Changes a connector: its handshakes do not keep the process alive, and end with their channel. */
function withoutReference(connector: SecureConnector): SecureConnector {
  const connect = connector.connect.bind(connector);
  const destroy = connector.destroy.bind(connector);
  const handshakes = new Set<Socket>();
  let destroyed = false;
  connector.connect = async (socket) => {
    if (destroyed) {
      throw new Error('the channel is closed'); // grpc-js destroys the socket.
    }
    socket.unref(); // A call that waits for the connection has a timer of grpc-js, which keeps the process alive.
    handshakes.add(socket);
    try {
      return await connect(socket);
    } finally {
      handshakes.delete(socket);
    }
  };
  // grpc-js calls it when the channel is closed.
  connector.destroy = () => {
    destroyed = true;
    handshakes.forEach((socket) => socket.destroy());
    destroy();
  };
  return connector;
}
