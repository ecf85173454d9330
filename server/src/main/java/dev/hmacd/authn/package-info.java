/// Authentication: who calls. It maps the credentials of a call to its principal, for all edges.
@NullMarked
package dev.hmacd.authn;

import org.jspecify.annotations.NullMarked;
