/// The AWS KMS edge: HTTP, SigV4 and JSON to the domain and back, so that AWS's own clients work.
@NullMarked
package dev.hmacd.awskms;

import org.jspecify.annotations.NullMarked;
