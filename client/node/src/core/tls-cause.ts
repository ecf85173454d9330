/**
 * The causes of a failed TLS connection, with parts of the texts of Node, OpenSSL and grpc-js in lower case. A connection
 * that ends without an alert of TLS has no cause here: the daemon may have been killed.
 */
const causes: Readonly<Record<string, readonly string[]>> = {
  "the daemon's certificate is for another name than the target": ["certificate's altnames"],
  "the daemon's certificate has ended, or is not valid yet": [
    'certificate has expired',
    'certificate is not yet valid',
  ],
  "the daemon's certificate is not trusted: its authority is not in the file of the setting ca": [
    'self-signed certificate',
    'self signed certificate',
    'issuer certificate',
    'unable to verify',
    'certificate signature failure',
    'unsuitable certificate',
  ],
  'the daemon refused the client certificate': [
    'alert bad certificate',
    'alert certificate',
    'alert unknown ca',
    'alert access denied',
    'alert unsupported certificate',
    'alert handshake failure',
  ],
  'the peer does not speak TLS': [
    'wrong version number',
    'packet length too long',
    'unexpected message',
    'http request',
    'parse error',
  ],
};

/** The cause of a failed connection in TLS; undefined if the text is about something else. */
export function tlsCause(text: string): string | undefined {
  const lower = text.toLowerCase();
  return Object.keys(causes).find((cause) => causes[cause]!.some((part) => lower.includes(part)));
}
