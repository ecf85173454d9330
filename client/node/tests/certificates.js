// Certificates of a test, made with openssl.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function openssl(...args) {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A folder that the end of the test removes. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'hmacd-tests-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Copies of the files, in a folder of the test. */
export function copies(t, files) {
  const path = folder(t);
  return Object.fromEntries(
    Object.entries(files).map(([name, file]) => {
      copyFileSync(file, join(path, name));
      return [name, join(path, name)];
    }),
  );
}

/** An authority with the PEM file `ca`. */
export class Authority {
  #folder;
  #count = 0;

  /** @param days until the end; negative for an authority that has ended */
  constructor(t, name = 'test', days = 30) {
    this.#folder = folder(t);
    this.ca = join(this.#folder, 'ca.pem');
    const [request, extensions] = [join(this.#folder, 'ca.csr'), join(this.#folder, 'ca.ext')];
    writeFileSync(extensions, 'basicConstraints = critical, CA:TRUE\n');
    openssl('req', ...this.#newKey('ca'), '-out', request, '-subj', `/CN=${name} authority`);
    const sign = ['-signkey', join(this.#folder, 'ca-key.pem'), '-days', `${days}`, '-extfile', extensions];
    openssl('x509', '-req', '-in', request, ...sign, '-out', this.ca);
  }

  /**
   * Issues a certificate. Returns the paths of its files.
   *
   * @param name a name or address of the subject
   * @param days until the end; negative for a certificate that has ended
   */
  issue(name, days = 30) {
    const file = (end) => join(this.#folder, `${this.#count}${end}`);
    this.#count++;
    const kind = /^[0-9.]+$/.test(name) ? 'IP' : 'DNS';
    writeFileSync(file('.ext'), `subjectAltName = ${kind}:${name}\n`);
    openssl('req', ...this.#newKey(`${this.#count}`), '-out', file('.csr'), '-subj', `/CN=${name}`);
    openssl(
      'x509',
      '-req',
      '-in',
      file('.csr'),
      '-CA',
      this.ca,
      '-CAkey',
      join(this.#folder, 'ca-key.pem'),
      '-CAcreateserial',
      '-days',
      `${days}`,
      '-extfile',
      file('.ext'),
      '-out',
      file('.pem'),
    );
    return { certificate: file('.pem'), privateKey: join(this.#folder, `${this.#count}-key.pem`) };
  }

  #newKey(name) {
    const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    return [...options, '-keyout', join(this.#folder, `${name}-key.pem`)];
  }
}

/** Converts a private key: the arguments of openssl precede `-in` and `-out`. */
export function convertKey(path, to, ...args) {
  openssl(...args, '-in', path, '-out', to);
  return to;
}

/** Writes a certificate with a key that is too short for TLS. */
export function writeShortKey({ certificate, privateKey }) {
  const files = ['-keyout', privateKey, '-out', certificate];
  openssl('req', '-x509', '-newkey', 'rsa:512', '-nodes', '-subj', '/CN=short', ...files);
}

/** The arguments of ServerCredentials.createSsl: a server that requires a client certificate of an authority. */
export function serverTls(clientAuthority, { certificate, privateKey }) {
  const pair = { cert_chain: readFileSync(certificate), private_key: readFileSync(privateKey) };
  return [readFileSync(clientAuthority.ca), [pair], true];
}
