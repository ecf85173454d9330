/// The AWS KMS edge: the operations and their JSON to the domain and back, compatible with the
/// clients of AWS.
@NullMarked
package dev.hmacd.awskms;

import org.jspecify.annotations.NullMarked;
