/// The AWS KMS edge: HTTP, SigV4 and JSON to the domain and back, compatible with the clients of
/// AWS.
@NullMarked
package dev.hmacd.awskms;

import org.jspecify.annotations.NullMarked;
