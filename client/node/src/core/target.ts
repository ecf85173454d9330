/** A daemon: `host:port`, or `unix:/absolute/path`. */
export interface Target {
  /** The text of the setting. */
  readonly name: string;
  /** gRPC's name, with its scheme. */
  readonly uri: string;
  /** The host and the port, or undefined for a Unix socket. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
}

const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([1-9][0-9]{0,4})$/;

/** The target of a text, or undefined if it has neither form. */
export function parseTarget(text: unknown): Target | undefined {
  if (typeof text !== 'string') {
    return undefined;
  }
  if (/^unix:\/[^\s]+$/.test(text)) {
    return { name: text, uri: text, address: undefined };
  }
  const [, ipv6, host = ipv6, port] = HOST_AND_PORT.exec(text) ?? [];
  if (host === undefined || Number(port) > 65535) {
    return undefined;
  }
  return { name: text, uri: `dns:${text}`, address: { host, port: Number(port) } };
}
