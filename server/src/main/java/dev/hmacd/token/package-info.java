/// PKCS#11 tokens: sessions, lanes (threads with one session each) and health checks. No other
/// package uses PKCS#11.
@NullMarked
package dev.hmacd.token;

import org.jspecify.annotations.NullMarked;
