/// AWS Signature Version 4: the verification of requests, and the derivation of access-key secrets
/// and signing keys. The package depends on the values of an HTTP request, but not on an HTTP
/// server.
@NullMarked
package dev.hmacd.sigv4;

import org.jspecify.annotations.NullMarked;
