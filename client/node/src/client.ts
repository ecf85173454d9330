import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { fromWire, type MacAlgorithm } from './core/algorithms.js';
import { Caller, type CallOptions } from './core/caller.js';
import { Channels } from './core/channels.js';
import { contractCall } from './core/contract-calls.js';
import { diagnose } from './core/doctor.js';
import { beforeCall, HmacdError, InvalidSetting } from './core/errors.js';
import { Picker } from './core/picker.js';
import { checkSettings, settingsFromEnv, type CheckedSettings, type Settings } from './core/settings.js';
import { BadTlsFile } from './core/tls-files.js';
import { KeyService } from './gen/hmacd/v1/key_service_pb.js';
import { Key } from './key.js';

/**
 * A client of hmacd. Create one, share it, and close it at the end of the program.
 *
 * An idle client does not keep the process alive. Each worker thread and each process has its own client.
 */
export class HmacdClient {
  readonly #settings: CheckedSettings;
  readonly #channels: Channels;
  readonly #caller: Caller;

  /**
   * Checks the settings, and reads and checks the PEM files. Does not connect.
   *
   * @throws InvalidSetting for an unknown setting, a wrong type, a value out of range, or an unusable PEM file
   */
  constructor(settings: Settings) {
    this.#settings = checkSettings(settings);
    const picker = new Picker(this.#settings.targets.length, Math.random);
    this.#channels = openChannels(this.#settings);
    this.#caller = new Caller(this.#settings, this.#channels, picker, Math.random);
  }

  /**
   * A client with the settings in `HMACD_TARGET` (targets, separated by commas), `HMACD_CA`, `HMACD_CERT` and
   * `HMACD_KEY`.
   *
   * @param settings further settings; they replace those of the environment
   * @throws InvalidSetting as the constructor
   */
  static fromEnv(settings: Partial<Settings> = {}): HmacdClient {
    return new HmacdClient({ ...settingsFromEnv(process.env), ...settings });
  }

  /**
   * Binds a name to an algorithm, without a call.
   *
   * @param name key id, key ARN, alias name (`alias/...`) or alias ARN
   * @throws TypeError for an argument of a wrong type
   */
  key(name: string, algorithm: MacAlgorithm): Key {
    return new Key(this.#caller, this.#settings.maxMessageBytes, name, algorithm);
  }

  /**
   * Gets the algorithm and the ARN of a key from the daemon (DescribeKey).
   *
   * @throws HmacdError if the call fails
   */
  async openKey(name: string, options?: CallOptions): Promise<Key> {
    const { keyMetadata } = await this.call(KeyService.method.describeKey, { keyId: name }, options);
    const algorithm = fromWire(keyMetadata?.macAlgorithms[0] ?? 0);
    if (keyMetadata === undefined || algorithm === undefined) {
      throw new HmacdError(beforeCall('INVALID_ARGUMENT', 'the key has no algorithm that this client knows'));
    }
    return new Key(this.#caller, this.#settings.maxMessageBytes, name, algorithm, keyMetadata.keyArn);
  }

  /**
   * Calls a method of the contract outside MacService: `client.call(KeyService.method.listKeys, {})`.
   * `hmacd-client/contract` has the services. Only reads and GenerateRandom are retried.
   *
   * @throws HmacdError if the call fails
   * @throws TypeError for a field that is not in the contract or has a wrong type, and for MacService
   */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): Promise<MessageShape<O>> {
    return this.#caller.call(contractCall(method, request), options);
  }

  /**
   * Checks each target on new connections: the files, the connection, and the health of the daemon. Makes no MAC.
   *
   * Returns one line for each target: `ok: <target>, <facts>`, or `failed: <target>, <check>: <what is wrong>` with the
   * first check that failed. Never rejects.
   */
  doctor(): Promise<string[]> {
    return diagnose(this.#settings, this.#channels);
  }

  /** Refuses new calls, waits up to 5 s for calls in flight, and cancels the others. Idempotent. */
  close(): Promise<void> {
    return this.#caller.close();
  }
}

function openChannels(settings: CheckedSettings): Channels {
  try {
    return new Channels(settings);
  } catch (error) {
    throw error instanceof BadTlsFile
      ? new InvalidSetting(error.setting, error.path, `is wrong: ${error.message}`)
      : error;
  }
}
