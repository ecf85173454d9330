/** The causes of a failed TLS connection: texts of Node, OpenSSL and grpc-js, and what they mean for an operator. */
const causes: readonly (readonly [RegExp, string])[] = [
  [
    /altnames|Hostname\/IP does not match/i,
    "the daemon's certificate is for another name than the target",
  ],
  [/certificate has expired|certificate is not yet valid/i, "the daemon's certificate has ended, or is not valid yet"],
  [
    /self.signed certificate|unable to (get|verify)|issuer certificate|certificate signature failure|unsuitable certificate/i,
    "the daemon's certificate is not trusted: its authority is not in the file of the setting ca",
  ],
  [
    // With TLS 1.3, the refusal follows the handshake. grpc-js has this text for an end before the first frame.
    /Last error: Failed to connect|alert (bad certificate|certificate|unknown ca|access denied|unsupported certificate|handshake failure)/i,
    'the daemon refused the client certificate',
  ],
  [
    /wrong version number|packet length too long|unexpected message|http request|before secure TLS connection|Parse Error/i,
    'the peer does not speak TLS',
  ],
];

/** The cause of a failed connection in TLS; undefined if the text is about something else. */
export function tlsCause(text: string): string | undefined {
  return causes.find(([pattern]) => pattern.test(text))?.[1];
}
