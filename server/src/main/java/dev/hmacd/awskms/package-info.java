/// The AWS KMS edge: converts operations and their JSON to the domain and back. Compatible with the
/// clients of AWS.
@NullMarked
package dev.hmacd.awskms;

import org.jspecify.annotations.NullMarked;
