import {
  create,
  fromBinary,
  isMessage,
  toBinary,
  type DescField,
  type DescMessage,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { reflect, reflectList, type ReflectMessage } from '@bufbuild/protobuf/reflect';
import { MacService } from '../gen/hmacd/v1/mac_service_pb.js';
import { GenerateRandomRequestSchema, GenerateRandomResponseSchema } from '../gen/hmacd/v1/random_service_pb.js';
import type { Call } from './caller.js';
import { crc32c } from './crc32c.js';

/**
 * A call of a method of the contract, other than those of MacService.
 *
 * @throws TypeError for MacService, and for a field that is not in the contract or has a wrong type
 */
export function contractCall<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  init: MessageInitShape<I>,
): Call<MessageShape<O>> {
  if (method.parent.typeName === MacService.typeName) {
    throw new TypeError('use client.key() for MACs: it checks the answers');
  }
  const message = messageOf(method.input, init, '', new TypeError('the request must be an object'));
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    request: toBinary(method.input, message.message as MessageShape<I>),
    size: 0,
    repeatable: isRead(method),
    read: (bytes) => undamaged(fromBinary(method.output, bytes), message.message),
  };
}

/** GenerateRandom is the only method here whose answer has a checksum. */
function undamaged<T extends Message>(answer: T, request: Message): T {
  if (isMessage(answer, GenerateRandomResponseSchema) && isMessage(request, GenerateRandomRequestSchema)) {
    const { plaintext, plaintextCrc32c } = answer;
    if (plaintext.length !== request.numberOfBytes || plaintextCrc32c !== crc32c(plaintext)) {
      throw new Error('damage in transit: the random bytes do not match their checksum or number');
    }
  }
  return answer;
}

/** Reads have no effect, so that a retry is safe. */
function isRead({ name }: DescMethodUnary): boolean {
  return /^(GenerateRandom$|Describe|List|Get)/.test(name);
}

function assign(message: ReflectMessage, init: object, path: string): void {
  for (const [name, value] of Object.entries(init)) {
    const field = message.desc.field[name];
    if (name === '$typeName' || value === undefined) {
      continue;
    }
    if (field === undefined) {
      throw new TypeError(`the contract has no field ${path}${name}`);
    }
    // Not the library's error, whose text has the value.
    const mistake = new TypeError(`the field ${path}${name} has a wrong type, or a value out of range`);
    const built = valueOf(field, value, `${path}${name}.`, mistake);
    guarded(mistake, () => message.set(field, built));
  }
}

function valueOf(field: DescField, value: unknown, path: string, mistake: TypeError): unknown {
  if (field.fieldKind === 'message') {
    return messageOf(field.message, value, path, mistake);
  }
  if (field.fieldKind !== 'list' || !Array.isArray(value)) {
    return value;
  }
  const list = reflectList(field);
  for (const item of value) {
    const built = field.listKind === 'message' ? messageOf(field.message, item, path, mistake) : item;
    guarded(mistake, () => list.add(built));
  }
  return list;
}

function messageOf(schema: DescMessage, value: unknown, path: string, mistake: TypeError): ReflectMessage {
  if (typeof value !== 'object' || value === null) {
    throw mistake;
  }
  const message = reflect(schema, create(schema));
  assign(message, value, path);
  return message;
}

function guarded(mistake: TypeError, change: () => void): void {
  try {
    change();
  } catch {
    throw mistake;
  }
}
