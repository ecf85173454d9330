package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import sun.security.pkcs11.wrapper.PKCS11Constants;

/// The constants of PKCS#11 are those of the JDK's wrapper.
final class CkConstantsTest {
  static Stream<String> names() {
    return Arrays.stream(CkConstants.class.getDeclaredFields())
        .map(Field::getName)
        .filter(name -> name.startsWith("CK"));
  }

  @ParameterizedTest
  @MethodSource("names")
  void constantHasTheValueOfTheJdk(String name) throws ReflectiveOperationException {
    assertThat(CkConstants.class.getDeclaredField(name).getLong(null))
        .isEqualTo(PKCS11Constants.class.getField(name).getLong(null));
  }
}
