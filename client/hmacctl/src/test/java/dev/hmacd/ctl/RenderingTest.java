package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RenderingTest {
  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      value = {
        "a\"b, \"a\\\"b\"",
        "a\\b, \"a\\\\b\"",
        "/é語😀, \"/é語😀\"",
      })
  void stringIsJson(String text, String json) {
    assertThat(Json.render(new Value.Scalar(text))).isEqualTo(json + "\n");
  }

  @Test
  void controlCharactersAndLoneSurrogatesAreEscapedInJson() {
    assertThat(Json.render(new Value.Scalar("\n\r\t\b\0\u001b\u007f\u009b")))
        .isEqualTo("\"\\n\\r\\t\\u0008\\u0000\\u001b\\u007f\\u009b\"\n");
    assertThat(Json.render(new Value.Scalar("\ud83d"))).isEqualTo("\"\\ud83d\"\n");
    assertThat(Json.render(new Value.Scalar("\ude00a"))).isEqualTo("\"\\ude00a\"\n");
    assertThat(Json.render(new Value.Scalar("a\ud83db"))).isEqualTo("\"a\\ud83db\"\n");
  }

  @Test
  void emptyObjectsAndListsAreJson() {
    assertThat(Json.render(Value.Members.none())).isEqualTo("{}\n");
    assertThat(Json.render(new Value.Items(List.of()))).isEqualTo("[]\n");
  }

  @Test
  void valueStaysInItsLineAndColumn() {
    Value value = Value.Members.none().with("A", "x\ty\nz\u001b[2J").with("B", 1);
    assertThat(Text.render(value)).isEqualTo("x\\ty\\nz\\u001b[2J\t1\n");
    assertThat(Table.render(value)).isEqualTo("A  x\\ty\\nz\\u001b[2J\nB  1\n");
  }

  @Test
  void objectsOfOneListHaveTheSameTextColumns() {
    Value list =
        new Value.Items(
            List.of(
                Value.Members.none().with("B", 2), Value.Members.none().with("A", 1).with("B", 3)));
    assertThat(Text.render(Value.Members.none().with("Things", list)))
        .isEqualTo("THINGS\t\t2\nTHINGS\t1\t3\n");
  }

  @Test
  void bashCompletesCommandsOptionsAndValues(@TempDir Path directory) throws Exception {
    Path script = Files.writeString(directory.resolve("completion"), Completion.script());
    assertThat(completed(script, "ver")).isEqualTo("verify-mac");
    assertThat(completed(script, "list-keys", "--max")).isEqualTo("--max-items");
    assertThat(completed(script, "create-key", "--key-spec", "HMAC_5")).isEqualTo("HMAC_512");
    assertThat(completed(script, "create-key", "--ca", "/")).isEmpty();
  }

  private static String completed(Path script, String... words)
      throws IOException, InterruptedException {
    var command =
        "source %s; COMP_WORDS=(hmacctl %s); COMP_CWORD=%d; _hmacctl; printf '%%s' \"${COMPREPLY[*]}\""
            .formatted(script, String.join(" ", words), words.length);
    Process bash = new ProcessBuilder("/bin/bash", "-c", command).redirectErrorStream(true).start();
    String output = new String(bash.getInputStream().readAllBytes(), UTF_8);
    assertThat(bash.waitFor()).isZero();
    return output;
  }
}
