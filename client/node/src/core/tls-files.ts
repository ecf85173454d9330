import { createHash, createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';

/** The paths of the PEM files, by the names of their settings. */
export interface TlsPaths {
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** The content of the PEM files, read together. */
export interface TlsContent {
  readonly ca: Buffer;
  readonly certificate: Buffer;
  readonly privateKey: Buffer;
  /** Equal for equal content of all files. */
  readonly digest: string;
}

/** Checked content. */
export interface TlsSet extends TlsContent {
  /** The end of the client's certificate. */
  readonly notAfter: Date;
}

/** A PEM file is not good. The text has the path, and no content. */
export class BadTlsFile extends Error {
  override readonly name = 'BadTlsFile';

  /** @param problem what is wrong: the end of a sentence about the path */
  constructor(
    readonly setting: keyof TlsPaths,
    readonly path: string,
    problem: string,
  ) {
    super(`${path} ${problem}`);
  }
}

const settings = ['ca', 'certificate', 'privateKey'] as const;

const MAX_FILE_BYTES = 1 << 20;
const CHUNK_BYTES = 1 << 14;

// The open of a FIFO does not wait for its writer, and a terminal does not become that of the process. Windows has
// neither flag.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** @throws BadTlsFile if a file cannot be read */
export function readTlsFilesSync(paths: TlsPaths): TlsContent {
  return contentOf(
    settings.map((setting) => {
      try {
        return readFileSync(paths[setting]);
      } catch (error) {
        throw unreadable(setting, paths, error);
      }
    }),
  );
}

/**
 * Reads the files one after the other: a read that does not end blocks a thread of libuv, which has only four.
 *
 * @throws BadTlsFile if a file cannot be read
 */
export async function readTlsFiles(paths: TlsPaths): Promise<TlsContent> {
  const files: Buffer[] = [];
  for (const setting of settings) {
    try {
      files.push(await readFile(paths[setting]));
    } catch (error) {
      throw unreadable(setting, paths, error);
    }
  }
  return contentOf(files);
}

function readFileSync(path: string): Buffer {
  const file = openSync(path, FLAGS);
  try {
    requireRegular(fstatSync(file));
    const content = new Content();
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const length = readSync(file, chunk, 0, CHUNK_BYTES, null);
      if (length === 0) {
        return content.bytes();
      }
      content.add(chunk.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
}

async function readFile(path: string): Promise<Buffer> {
  const file = await open(path, FLAGS);
  try {
    requireRegular(await file.stat());
    const content = new Content();
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, null);
      if (bytesRead === 0) {
        return content.bytes();
      }
      content.add(chunk.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** The content of a file, with a maximum length. */
class Content {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  add(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > MAX_FILE_BYTES) {
      throw new Unusable(`has more than ${MAX_FILE_BYTES} bytes`);
    }
    this.#chunks.push(chunk);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** The end of a sentence about a path. */
class Unusable extends Error {}

function requireRegular(stats: Stats): void {
  if (!stats.isFile()) {
    throw new Unusable('is not a regular file');
  }
}

/**
 * Checks that the files are PEM, the key belongs to the certificate, the certificate has not ended, and TLS can use
 * both.
 *
 * @param now milliseconds since 1970
 * @throws BadTlsFile if a check fails
 */
export function checkTlsFiles(content: TlsContent, paths: TlsPaths, now: number): TlsSet {
  firstCertificate(content, 'ca', paths);
  const certificate = firstCertificate(content, 'certificate', paths);
  if (!certificate.checkPrivateKey(privateKeyOf(content, paths))) {
    const problem = `has another key than that of the certificate in ${paths.certificate}`;
    throw new BadTlsFile('privateKey', paths.privateKey, problem);
  }
  const notAfter = new Date(certificate.validTo);
  if (notAfter.getTime() <= now) {
    throw new BadTlsFile('certificate', paths.certificate, `has a certificate that ended at ${notAfter.toISOString()}`);
  }
  try {
    createSecureContext({ ca: content.ca, cert: content.certificate, key: content.privateKey });
  } catch (error) {
    const problem = `is not usable for TLS: ${(error as NodeJS.ErrnoException).code}`;
    throw new BadTlsFile('certificate', paths.certificate, problem);
  }
  return { ...content, notAfter };
}

function contentOf(files: Buffer[]): TlsContent {
  const [ca, certificate, privateKey] = files as [Buffer, Buffer, Buffer];
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file.length}:`).update(file);
  }
  return { ca, certificate, privateKey, digest: hash.digest('hex') };
}

function unreadable(setting: keyof TlsPaths, paths: TlsPaths, error: unknown): BadTlsFile {
  const problem =
    error instanceof Unusable ? error.message : `cannot be read: ${(error as NodeJS.ErrnoException).code}`;
  return new BadTlsFile(setting, paths[setting], problem);
}

function firstCertificate(content: TlsContent, setting: 'ca' | 'certificate', paths: TlsPaths): X509Certificate {
  const pem = content[setting].toString('latin1');
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (blocks === null) {
    throw new BadTlsFile(setting, paths[setting], 'has no certificate in PEM');
  }
  try {
    return blocks.map((block) => new X509Certificate(block))[0]!;
  } catch {
    throw new BadTlsFile(setting, paths[setting], 'has a damaged certificate');
  }
}

function privateKeyOf({ privateKey }: TlsContent, paths: TlsPaths): KeyObject {
  if (/ENCRYPTED( PRIVATE KEY-----|\r?\n)/.test(privateKey.toString('latin1'))) {
    const problem = 'has an encrypted private key; decrypt it, for example with openssl pkey';
    throw new BadTlsFile('privateKey', paths.privateKey, problem);
  }
  try {
    return createPrivateKey(privateKey);
  } catch {
    throw new BadTlsFile('privateKey', paths.privateKey, 'has no private key in PKCS#8, PKCS#1 or SEC1');
  }
}
