/// Strict reading of JSON texts that callers send: requests of the AWS KMS edge, and policies.
@NullMarked
package dev.hmacd.json;

import org.jspecify.annotations.NullMarked;
