/// AWS Signature Version 4: the verification of requests, and the derivation of access-key secrets
/// and signing keys. Of a request it knows the values, not the server that received them.
@NullMarked
package dev.hmacd.sigv4;

import org.jspecify.annotations.NullMarked;
