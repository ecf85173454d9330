/// Strict parsers of JSON texts that callers send, such as requests of the AWS KMS edge.
@NullMarked
package dev.hmacd.json;

import org.jspecify.annotations.NullMarked;
