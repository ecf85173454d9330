package dev.hmacd.testing;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// The items of `docs/aws-kms-semantics.md` that a test covers, by id, e.g. `AUTH-9`.
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
public @interface KmsItem {
  String[] value();
}
