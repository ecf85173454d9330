/// The token behind PKCS#11: sessions, lanes, and the probe; the only package that knows the
/// device.
@NullMarked
package dev.hmacd.token;

import org.jspecify.annotations.NullMarked;
