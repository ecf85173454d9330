/// Fixtures of tests: a real token, a real daemon on loopback, real certificates.
@NullMarked
package dev.hmacd.testing;

import org.jspecify.annotations.NullMarked;
