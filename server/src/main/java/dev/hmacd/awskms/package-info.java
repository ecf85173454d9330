/// The AWS KMS edge: an HTTP API that is compatible with the clients of AWS KMS. Converts the JSON
/// of operations to calls of use cases, and the results to JSON.
@NullMarked
package dev.hmacd.awskms;

import org.jspecify.annotations.NullMarked;
