/// A client of hmacd for Spring Boot 3.5 and 4, from the properties `hmacd.*`.
@NullMarked
package dev.hmacd.client.spring;

import org.jspecify.annotations.NullMarked;
