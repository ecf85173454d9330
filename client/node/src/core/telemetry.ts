/** The part of OpenTelemetry's `Tracer` that the client uses. */
export interface Tracer {
  startSpan(name: string, options: { kind: number; attributes: Attributes }): Span;
}

/** The part of OpenTelemetry's `Span` that the client uses. */
export interface Span {
  setAttributes(attributes: Attributes): unknown;
  setStatus(status: { code: number }): unknown;
  end(): void;
}

/** The part of OpenTelemetry's `Meter` that the client uses. */
export interface Meter {
  createHistogram(name: string, options: { unit: string; description: string }): Histogram;
}

/** The part of OpenTelemetry's `Histogram` that the client uses. */
export interface Histogram {
  record(value: number, attributes: Attributes): void;
}

type Attributes = Record<string, string | number>;

/** The instruments that get the calls of a client. */
export interface Telemetry {
  /** Makes one span for each call. */
  readonly tracer?: Tracer | undefined;
  /** Makes the histogram `rpc.client.duration`. */
  readonly meter?: Meter | undefined;
}

/** How a call ended. */
export interface Ending {
  readonly target: string;
  readonly attempts: number;
  /** The reason of the error, or `UNKNOWN`; undefined after a success. */
  readonly reason: string | undefined;
}

const SPAN_KIND_CLIENT = 2;
const STATUS_CODE_ERROR = 2;

function ignore(): void {}

/** The address and the port of a target. A Unix socket has its path, and no port. */
function server(target: string): Attributes {
  if (target.startsWith('unix:')) {
    return { 'server.address': target.slice('unix:'.length) };
  }
  const colon = target.lastIndexOf(':');
  if (colon === -1) {
    return {}; // No attempt was made.
  }
  const host = target.slice(0, colon).replace(/^\[|\]$/g, '');
  return { 'server.address': host, 'server.port': Number(target.slice(colon + 1)) };
}

/** Reports calls. No attribute has a message, a MAC or a key name. */
export class CallReporter {
  readonly #tracer: Tracer | undefined;
  readonly #duration: Histogram | undefined;

  constructor({ tracer, meter }: Telemetry) {
    this.#tracer = tracer;
    this.#duration = meter?.createHistogram('rpc.client.duration', {
      unit: 'ms',
      description: 'Duration of calls of hmacd, with all attempts.',
    });
  }

  /**
   * Starts the report of a call. Returns the function that ends it.
   *
   * @param path `/package.Service/Method`
   */
  start(path: string): (ending: Ending) => void {
    if (this.#tracer === undefined && this.#duration === undefined) {
      return ignore;
    }
    const [, service = '', method = ''] = path.split('/');
    const common = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
    const span = this.#tracer?.startSpan(`${service}/${method}`, { kind: SPAN_KIND_CLIENT, attributes: common });
    const start = performance.now();
    return ({ target, attempts, reason }) => {
      const outcome: Attributes = {
        ...server(target),
        ...(reason === undefined ? {} : { 'error.type': reason }),
      };
      this.#duration?.record(performance.now() - start, { ...common, ...outcome });
      span?.setAttributes({ ...outcome, 'hmacd.attempts': attempts });
      if (reason !== undefined) {
        span?.setStatus({ code: STATUS_CODE_ERROR });
      }
      span?.end();
    };
  }
}
