/// AWS Signature Version 4: the verification of requests, and the derivation of access-key secrets
/// and signing keys. The package knows the values of a request, and no server.
@NullMarked
package dev.hmacd.sigv4;

import org.jspecify.annotations.NullMarked;
