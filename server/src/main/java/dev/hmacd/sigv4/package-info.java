/// Verification of AWS Signature Version 4.
@NullMarked
package dev.hmacd.sigv4;

import org.jspecify.annotations.NullMarked;
