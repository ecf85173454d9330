/// The tokens behind PKCS#11: sessions, lanes and health checks. The only package that uses
/// PKCS#11.
@NullMarked
package dev.hmacd.token;

import org.jspecify.annotations.NullMarked;
