/// Strict parsers of JSON texts that callers send. Requests of the AWS KMS edge are such texts.
@NullMarked
package dev.hmacd.json;

import org.jspecify.annotations.NullMarked;
