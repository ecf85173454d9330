import { createHash, createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
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

/** @throws BadTlsFile if a file cannot be read */
export function readTlsFilesSync(paths: TlsPaths): TlsContent {
  const files = settings.map((setting) => {
    try {
      return readFileSync(paths[setting]);
    } catch (error) {
      throw unreadable(setting, paths, error);
    }
  });
  return contentOf(files);
}

/** @throws BadTlsFile if a file cannot be read */
export async function readTlsFiles(paths: TlsPaths): Promise<TlsContent> {
  const reads = settings.map((setting) =>
    readFile(paths[setting]).catch((error: unknown) => {
      throw unreadable(setting, paths, error);
    }),
  );
  return contentOf(await Promise.all(reads));
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
  return new BadTlsFile(setting, paths[setting], `cannot be read: ${(error as NodeJS.ErrnoException).code}`);
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
