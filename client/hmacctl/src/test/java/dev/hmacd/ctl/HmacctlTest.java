package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.FakeDaemon;
import dev.hmacd.client.TestPki;
import io.grpc.Status.Code;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractMap;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class HmacctlTest {
  // RFC 4231, section 4.3, under the daemon's key "Jefe".
  private static final String MESSAGE = "what do ya want for nothing?";
  private static final String MAC = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
  private static final String MAC_HEX =
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

  private static final String KEY = "alias/orders";

  private final Path directory;
  private final FakeDaemon daemon;
  private final Map<String, String> environment = new HashMap<>();

  HmacctlTest(@TempDir Path directory) {
    this.directory = directory;
    Path socket = directory.resolve("hmacd.sock");
    this.daemon = FakeDaemon.overUnixSocket(socket);
    environment.put("HMACD_SOCKET", socket.toString());
  }

  @AfterEach
  void close() {
    daemon.close();
  }

  @Test
  void generatedMacIsJsonWithTheNamesOfAws() {
    assertThat(generate(MESSAGE))
        .isEqualTo(
            succeeded(
                """
                {
                    "KeyId": "arn:hmacd:kms:local:000000000000:key/11111111-2222-3333-4444-555555555555",
                    "Mac": "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
                    "MacAlgorithm": "HMAC_SHA_256",
                    "KeyVersion": 1
                }
                """));
  }

  @Test
  void textIsOneLineInTheOrderOfNames() {
    assertThat(generate(MESSAGE, "--output", "text"))
        .isEqualTo(succeeded(FakeDaemon.KEY_ARN + "\t1\t" + MAC + "\tHMAC_SHA_256\n"));
  }

  @Test
  void tableIsOneLineForEachName() {
    assertThat(generate(MESSAGE, "--output=table"))
        .isEqualTo(
            succeeded(
                """
                KeyId         %s
                Mac           %s
                MacAlgorithm  HMAC_SHA_256
                KeyVersion    1
                """
                    .formatted(FakeDaemon.KEY_ARN, MAC)));
  }

  @Test
  void querySelectsAPart() {
    assertThat(generate(MESSAGE, "--query", "Mac", "--output", "text"))
        .isEqualTo(succeeded(MAC + "\n"));
    assertThat(ctl("list-aliases", "--query", "Aliases[].AliasName", "--output", "text"))
        .isEqualTo(succeeded("alias/orders\n"));
    assertThat(ctl("list-keys", "--max-items", "3", "--query", "NextToken", "--output", "text"))
        .isEqualTo(succeeded("3\n"));
    assertThat(ctl("list-keys", "--query", "NextToken").exitCode()).isEqualTo(10);
    assertThat(ctl("list-keys", "--query", "Keys[0]").exitCode()).isEqualTo(2);
  }

  @Test
  void messageComesFromTextFileAndStandardInputAlike() throws IOException {
    String message = "Zoë, 語 \n@&${x}";
    Path file = Files.writeString(directory.resolve("message"), message);
    Result ofFile = generate("fileb://" + file);
    assertThat(ofFile).isEqualTo(generate(message));
    assertThat(ctl(new ByteArrayInputStream(message.getBytes(UTF_8)), generateArgs("-")))
        .isEqualTo(ofFile);
  }

  @Test
  void tooLongMessageIsReadOnlyUpToTheLimit() {
    var stdin = new ByteArrayInputStream(new byte[1_100_000]);
    ctl(stdin, generateArgs("-"));
    assertThat(stdin.available()).isEqualTo(1_100_000 - ((1 << 20) + 1));
  }

  @Test
  void messageThatIsNotUtf8IsRefused() {
    assertThat(generate("a\ufffdb")).returns(2, Result::exitCode);
    assertThat(daemon.calls()).isEmpty();
  }

  @Test
  void fileSchemeIsRefusedSoThatThePathIsNotSigned() {
    assertThat(generate("file:///etc/hostname"))
        .isEqualTo(
            failed(
                2,
                "--message: use fileb://PATH for the bytes of a file",
                "See 'hmacctl generate-mac --help'."));
  }

  @Test
  void rightMacVerifiesInEveryForm() throws IOException {
    Path file = Files.write(directory.resolve("mac"), Base64.getDecoder().decode(MAC));
    Result ofBase64 = verify(MAC);
    assertThat(ofBase64)
        .isEqualTo(
            succeeded(
                """
                {
                    "KeyId": "arn:hmacd:kms:local:000000000000:key/11111111-2222-3333-4444-555555555555",
                    "MacValid": true,
                    "MacAlgorithm": "HMAC_SHA_256",
                    "KeyVersion": 1
                }
                """));
    assertThat(verify("hex:" + MAC_HEX)).isEqualTo(ofBase64);
    assertThat(verify("fileb://" + file)).isEqualTo(ofBase64);
    assertThat(verify(MAC, "--output", "text"))
        .isEqualTo(succeeded(FakeDaemon.KEY_ARN + "\t1\tHMAC_SHA_256\tTrue\n"));
  }

  @Test
  void wrongMacHasAnExitCodeOfItsOwn() {
    Result wrong = failed(1, ofDaemon("KMS_INVALID_MAC"), "Do not trust the message.");
    assertThat(verify("hex:" + "00".repeat(32))).isEqualTo(wrong);
    assertThat(verify("AAAA").exitCode()).isEqualTo(1);
    assertThat(verify(MAC, "--message", "another").exitCode()).isEqualTo(2); // given twice
    assertThat(verify("hex:" + MAC_HEX.replace('5', '6'))).isEqualTo(wrong);
  }

  @Test
  void macInHexadecimalDigitsWithoutPrefixIsNotReportedAsAWrongMac() {
    for (String digits : new String[] {MAC_HEX, MAC_HEX.toUpperCase(Locale.ROOT)}) {
      assertThat(verify(digits))
          .isEqualTo(
              failed(
                  2,
                  "--mac has hexadecimal digits: add the prefix hex:",
                  "See 'hmacctl verify-mac --help'."));
    }
    assertThat(daemon.calls()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEN=", // bits after the last byte
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=!",
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM= ",
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=\n",
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=AAAA",
        "hex:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843 ",
        "hex:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec384",
        "hex:0x5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      })
  void macWithMoreThanItsBytesIsRefused(String mac) {
    assertThat(verify(mac).exitCode()).isEqualTo(2);
    assertThat(daemon.calls()).isEmpty();
  }

  @Test
  void errorOfTheJvmIsNotReportedAsAWrongMac() {
    environment.clear();
    var broken =
        new AbstractMap<String, String>() {
          @Override
          public String get(Object name) {
            throw new NoClassDefFoundError("dev/hmacd/Missing");
          }

          @Override
          public Set<Map.Entry<String, String>> entrySet() {
            return Set.of();
          }
        };
    var err = new ByteArrayOutputStream();
    int exitCode =
        Hmacctl.run(
            new Terminal(
                broken,
                InputStream.nullInputStream(),
                new PrintStream(OutputStream.nullOutputStream(), false, UTF_8),
                new PrintStream(err, false, UTF_8)),
            verifyArgs(MAC));
    assertThat(exitCode).isEqualTo(9);
    assertThat(err.toString(UTF_8)).contains("This is a fault of hmacctl.");
  }

  @Test
  void messageThatLooksLikeAnOptionIsNeverTakenForSuccess() {
    String[] messages = {"--help", "-h", "--version", "-", "--dry-run", "--dry-run=", "--key-id=x"};
    for (String message : messages) {
      String[] args = {"--message", message, "--mac", MAC, "--mac-algorithm", "HMAC_SHA_256"};
      assertThat(ctl(joined(new String[] {"verify-mac", "--key-id", KEY}, args)))
          .as(message)
          .extracting(Result::exitCode)
          .isIn(1, 2);
    }
  }

  @Test
  void dryRunThatWouldSucceedIsNoSuccess() {
    Result wouldSucceed =
        failed(
            8,
            "DRY_RUN_OPERATION: the request would have succeeded, but --dry-run is set",
            "Omit --dry-run to carry the request out.");
    assertThat(generate(MESSAGE, "--dry-run")).isEqualTo(wouldSucceed);
    assertThat(verify(MAC, "--dry-run")).isEqualTo(wouldSucceed);
    assertThat(verify("AAAA", "--dry-run").exitCode()).isEqualTo(1);
  }

  @Test
  void keyIsDescribedInFull() {
    assertThat(ctl("describe-key", "--key-id", "alias/orders"))
        .isEqualTo(
            succeeded(
                """
                {
                    "KeyMetadata": {
                        "KeyId": "11111111-2222-3333-4444-555555555555",
                        "Arn": "arn:hmacd:kms:local:000000000000:key/11111111-2222-3333-4444-555555555555",
                        "CreationDate": "2023-11-14T22:13:20.250Z",
                        "Description": "orders \\"v1\\"",
                        "KeyState": "Enabled",
                        "KeySpec": "HMAC_256",
                        "MacAlgorithms": [
                            "HMAC_SHA_256"
                        ],
                        "Origin": "GENERATED",
                        "CurrentKeyVersion": 1,
                        "TokenObject": {
                            "TokenSerial": "serial",
                            "Label": "hmacd:orders",
                            "Id": "c0ffee",
                            "Sensitive": true,
                            "Extractable": false,
                            "AlwaysSensitive": true,
                            "NeverExtractable": true,
                            "KeyBytes": 32,
                            "OtherTokenSerials": [
                                "second"
                            ]
                        }
                    }
                }
                """));
    assertThat(ctl("describe-key", "--key-id", "alias/orders", "--output", "text"))
        .isEqualTo(
            succeeded(
                """
                KEYMETADATA\t%s\t2023-11-14T22:13:20.250Z\t1\torders "v1"\t%s\tHMAC_256\tEnabled\tGENERATED
                MACALGORITHMS\tHMAC_SHA_256
                TOKENOBJECT\tTrue\tFalse\tc0ffee\t32\thmacd:orders\tTrue\tTrue\tserial
                OTHERTOKENSERIALS\tsecond
                """
                    .formatted(FakeDaemon.KEY_ARN, FakeDaemon.KEY_ID)));
    assertThat(ctl("describe-key", "--key-id", "alias/orders", "--output", "table").out())
        .contains("\nKeyMetadata.MacAlgorithms                  HMAC_SHA_256\n")
        .contains("\nKeyMetadata.TokenObject.Id                 c0ffee\n");
  }

  @Test
  void keysAreCreatedAndAdoptedAsRequested() {
    Result made =
        ctl("create-key", "--key-spec", "HMAC_512", "--description", "--odd", "--output", "text");
    assertThat(made.out())
        .contains("\t--odd\t")
        .contains("\tHMAC_512\t")
        .contains("\tTrue\tserial\n");
    assertThat(
            ctl(
                    "create-key",
                    "--key-spec",
                    "HMAC_256",
                    "--token-serial",
                    "third",
                    "--query",
                    "KeyMetadata.TokenObject.TokenSerial")
                .out())
        .isEqualTo("\"third\"\n");
    assertThat(
            ctl("adopt-key", "--key-spec", "HMAC_256", "--object-id", "01FF", "--output", "text")
                .out())
        .contains("\t01ff\t");
    assertThat(
            ctl("adopt-key", "--key-spec", "HMAC_256", "--object-label", "x", "--output", "text")
                .out())
        .contains("\tx\t");
  }

  @Test
  void statesTagsAndAccessKeysAreChangedAsRequested() {
    String key = FakeDaemon.KEY_ID;
    assertThat(ctl("disable-key", "--key-id", key, "--query", "KeyMetadata.KeyState").out())
        .isEqualTo("\"Disabled\"\n");
    assertThat(
            ctl(
                    "schedule-key-deletion",
                    "--key-id",
                    key,
                    "--pending-window-in-days",
                    "7",
                    "--query",
                    "KeyMetadata.DeletionDate")
                .out())
        .isEqualTo("\"1970-01-08T00:00:00Z\"\n");
    assertThat(ctl("cancel-key-deletion", "--key-id", key).exitCode()).isZero();
    assertThat(ctl("enable-key", "--key-id", key).exitCode()).isZero();
    assertThat(
            ctl(
                    "tag-resource",
                    "--key-id",
                    key,
                    "--tags",
                    "TagKey=a,TagValue=b=c",
                    "TagKey=d,TagValue=")
                .exitCode())
        .isZero();
    assertThat(ctl("list-resource-tags", "--key-id", key, "--output", "text").out())
        .isEqualTo("TAGS\ta\tb=c\nTAGS\td\t\n");
    assertThat(ctl("untag-resource", "--key-id", key, "--tag-keys", "a", "d").exitCode()).isZero();
    assertThat(
            ctl(
                    "create-access-key",
                    "--principal",
                    "arn:aws:iam::000000000000:user/ci",
                    "--query",
                    "AccessKey.SecretAccessKey",
                    "--output",
                    "text")
                .out())
        .isEqualTo("secret\n");
    assertThat(ctl("list-access-keys").out())
        .contains("HMAKAAAAAAAAAAAAAAAA")
        .doesNotContain("secret");
    assertThat(ctl("disable-access-key", "--access-key-id", "HMAKAAAAAAAAAAAAAAAA").exitCode())
        .isZero();
    assertThat(ctl("delete-access-key", "--access-key-id", "HMAKAAAAAAAAAAAAAAAA").exitCode())
        .isZero();
  }

  @Test
  void listsAreCompleteUnlessCutOff() {
    assertThat(ctl("list-keys", "--output", "text").out()).hasLineCount(5);
    assertThat(ctl("list-keys", "--page-size", "2", "--output", "text").out()).hasLineCount(5);
    assertThat(daemon.calls()).hasSize(4);
    assertThat(ctl("list-keys", "--max-items", "3", "--page-size", "2", "--output", "text").out())
        .startsWith("3\n") // NextToken
        .hasLineCount(4);
    assertThat(ctl("list-keys", "--starting-token", "3", "--output", "text").out()).hasLineCount(2);
  }

  @Test
  void listInATableHasColumns() {
    assertThat(ctl("list-aliases", "--output", "table"))
        .isEqualTo(
            succeeded(
                """
                AliasName     AliasArn                                       TargetKeyId                           CreationDate          LastUpdatedDate
                alias/orders  arn:hmacd:kms:local:000000000000:alias/orders  11111111-2222-3333-4444-555555555555  2023-11-14T22:13:20Z  2023-11-14T22:13:21Z
                """));
  }

  @Test
  void aliasChangesPrintOnlyErrors() {
    assertThat(ctl("create-alias", "--alias-name", "alias/new", "--target-key-id", "k"))
        .isEqualTo(succeeded(""));
    assertThat(ctl("update-alias", "--alias-name", "alias/orders", "--target-key-id", "k"))
        .isEqualTo(succeeded(""));
    assertThat(ctl("delete-alias", "--alias-name", "alias/orders")).isEqualTo(succeeded(""));
    assertThat(ctl("create-alias", "--alias-name", "alias/orders", "--target-key-id", "k"))
        .isEqualTo(
            failed(
                5,
                ofDaemon("ALIAS_ALREADY_EXISTS"),
                "Use 'hmacctl update-alias' to point the alias at another key."));
    assertThat(ctl("delete-alias", "--alias-name", "alias/none").exitCode()).isEqualTo(4);
  }

  @ParameterizedTest(name = "{1} ends in exit code {0}")
  @CsvSource({
    "1, KMS_INVALID_MAC, INVALID_ARGUMENT",
    "3, UNAUTHENTICATED, UNAUTHENTICATED",
    "3, ACCESS_DENIED, PERMISSION_DENIED",
    "4, KEY_NOT_FOUND, NOT_FOUND",
    "4, ALIAS_NOT_FOUND, NOT_FOUND",
    "4, TOKEN_OBJECT_NOT_FOUND, NOT_FOUND",
    "5, INVALID_FIELD, INVALID_ARGUMENT",
    "5, KEY_NOT_USABLE, FAILED_PRECONDITION",
    "6, TOKEN_BUSY, RESOURCE_EXHAUSTED",
    "6, STOPPING, UNAVAILABLE",
    "6, CHECKSUM_MISMATCH, INVALID_ARGUMENT",
    "7, DEADLINE_EXCEEDED, DEADLINE_EXCEEDED",
    "8, DRY_RUN_OPERATION, FAILED_PRECONDITION",
    "9, INTERNAL, INTERNAL",
    "9, NOT_YET_INVENTED, FAILED_PRECONDITION"
  })
  void reasonHasItsExitCode(int exitCode, String reason, Code code) {
    daemon.failingWithoutRetry(code, reason);
    Result result = generate(MESSAGE);
    assertThat(result.exitCode()).isEqualTo(exitCode);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).startsWith("hmacctl: " + reason + ": ").hasLineCount(2);
  }

  @ParameterizedTest
  @EnumSource
  void everyReasonHasAHint(ErrorReason reason) {
    assertThat(Advice.on(reason).hint()).endsWith(".");
    assertThat(Advice.on(reason).exitCode()).isNotIn(ExitCode.OK, ExitCode.NOTHING_SELECTED);
  }

  @Test
  void callToAHangingDaemonEndsAtTheTimeout() {
    daemon.hanging();
    assertThat(generate(MESSAGE, "--timeout", "0.2")).returns(7, Result::exitCode);
  }

  @Test
  void absentDaemonIsUnavailableWithoutAStackTrace() {
    Result result = ctl("health", "--socket", directory.resolve("none").toString());
    assertThat(result.exitCode()).isEqualTo(6);
    assertThat(result.err())
        .startsWith("hmacctl: CONNECTION_FAILED: ")
        .hasLineCount(2)
        .doesNotContain("\tat ");
  }

  @Test
  void environmentOfADevelopmentDaemonSelectsItsTargetUnlessASocketIsRequested() {
    TestPki client = TestPki.client();
    try (var overTls = FakeDaemon.overTls(TestPki.daemon("localhost"))) {
      environment.put("HMACD_TARGET", overTls.target());
      environment.put("HMACD_CA", client.ca().toString());
      environment.put("HMACD_CERT", client.cert().toString());
      environment.put("HMACD_KEY", client.key().toString());
      assertThat(generate(MESSAGE).exitCode()).isZero();
      assertThat(overTls.calls()).hasSize(1);
      String socket = String.valueOf(environment.get("HMACD_SOCKET"));
      assertThat(generate(MESSAGE, "--socket", socket).exitCode()).isZero();
      assertThat(generate(MESSAGE, "--target", "unix:" + socket).exitCode()).isZero();
      assertThat(daemon.calls()).hasSize(2);
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("wrongCommandLines")
  void wrongCommandLineIsRefusedBeforeAnyCall(String text, String[] args) {
    Result result = ctl(args);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).startsWith("hmacctl: " + text).doesNotContain("\tat ");
    assertThat(daemon.calls()).isEmpty();
  }

  static Stream<Object[]> wrongCommandLines() {
    return Stream.of(
        wrong("missing command"),
        wrong("unknown command: sign", "sign"),
        wrong("missing option: --key-id, --message, --mac-algorithm", "generate-mac"),
        wrong("unknown option: --nope", "list-keys", "--nope"),
        wrong("unexpected argument: x", "list-keys", "x"),
        wrong("--dry-run takes no value", generateArgs("m", "--dry-run=false")),
        wrong("--key-id requires a value: KEY", "describe-key", "--key-id"),
        wrong("--key-id requires a value: KEY", "describe-key", "--key-id", "--output", "text"),
        wrong("--key-id is given twice", "describe-key", "--key-id", "a", "--key-id", "b"),
        wrong("--output must be one of json, text, table", "list-keys", "--output", "xml"),
        wrong("--key-spec must be one of HMAC_224,", "create-key", "--key-spec", "UNKNOWN"),
        wrong("--max-items must be a whole number", "list-keys", "--max-items", "0"),
        wrong("--timeout must be a number of seconds", "list-keys", "--timeout", "soon"),
        wrong("--timeout must be a number of seconds", "list-keys", "--timeout", "1e99"),
        wrong("missing option: --tags", "tag-resource", "--key-id", "k"),
        wrong(
            "--tags must be TagKey=KEY,TagValue=VALUE: a=b",
            "tag-resource",
            "--key-id",
            "k",
            "--tags",
            "a=b"),
        wrong("use --object-label, --object-id, or both", "adopt-key", "--key-spec", "HMAC_256"),
        wrong("use --target or --socket", "list-keys", "--target", "a:1", "--socket", "b"),
        wrong("a Unix socket does not use TLS", "list-keys", "--socket", "b", "--ca", "c"),
        wrong("TLS requires --ca or HMACD_CA", "list-keys", "--target", "a:1"),
        wrong("target must be host:port", "list-keys", tls("nonsense")),
        wrong("cannot read none: no such file", "list-keys", tls("a:1")),
        wrong("cannot read none: no such file", generateArgs("fileb://none")),
        wrong("--query 'a b' must be", "list-keys", "--query", "a b"));
  }

  @Test
  void missingDaemonAddressHasAHint() {
    environment.clear();
    assertThat(ctl("list-keys"))
        .isEqualTo(
            failed(
                2,
                "no daemon address: use --target or --socket, or set HMACD_TARGET or HMACD_SOCKET",
                "See 'hmacctl list-keys --help'."));
  }

  @Test
  void helpHasOptionsAndExitCodes() {
    assertThat(ctl("--help").out()).contains("generate-mac").contains("\nExit codes:\n");
    assertThat(ctl("help")).isEqualTo(ctl("-h"));
    for (Command command : Command.ALL) {
      Result help = ctl(command.name(), "--help");
      assertThat(help.exitCode()).isZero();
      assertThat(help.out())
          .startsWith("usage: hmacctl " + command.name())
          .contains(command.options().stream().map(Option::name).toList());
      assertThat(help.out().lines().map(String::strip).filter(line -> line.startsWith("--")))
          .allMatch(
              line ->
                  command.options().stream().anyMatch(option -> line.startsWith(option.name())));
    }
    assertThat(ctl("--help").out().lines()).allMatch(line -> line.length() <= 80);
    assertThat(ctl("--version").out()).startsWith("hmacctl ");
  }

  @Test
  void answerThatCannotBeWrittenIsNoSuccess() {
    var full =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("No space left on device");
          }
        };
    var err = new ByteArrayOutputStream();
    int exitCode =
        Hmacctl.run(
            new Terminal(
                environment,
                InputStream.nullInputStream(),
                new PrintStream(full, false, UTF_8),
                new PrintStream(err, false, UTF_8)),
            "list-keys");
    assertThat(exitCode).isEqualTo(9);
    assertThat(err.toString(UTF_8)).isEqualTo("hmacctl: cannot write to standard output\n");
  }

  /// The text of an error of the fake daemon.
  private String ofDaemon(String reason) {
    return reason + ": a fake's " + reason + " (target " + daemon.target() + ", 1 attempts)";
  }

  private Result generate(String message, String... more) {
    return ctl(generateArgs(message, more));
  }

  private Result verify(String mac, String... more) {
    return ctl(joined(verifyArgs(mac), more));
  }

  private static String[] verifyArgs(String mac) {
    String[] args = {
      "verify-mac",
      "--key-id",
      KEY,
      "--mac-algorithm",
      "HMAC_SHA_256",
      "--message",
      MESSAGE,
      "--mac"
    };
    return joined(args, mac);
  }

  private Result ctl(String... args) {
    return ctl(InputStream.nullInputStream(), args);
  }

  private Result ctl(InputStream in, String... args) {
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    int exitCode =
        Hmacctl.run(
            new Terminal(
                environment,
                in,
                new PrintStream(out, false, UTF_8),
                new PrintStream(err, false, UTF_8)),
            args);
    return new Result(exitCode, out.toString(UTF_8), err.toString(UTF_8));
  }

  private static String[] generateArgs(String message, String... more) {
    String[] args = {
      "generate-mac", "--key-id", KEY, "--mac-algorithm", "HMAC_SHA_256", "--message", message
    };
    return joined(args, more);
  }

  private static String[] tls(String target) {
    return new String[] {"--target", target, "--ca", "none", "--cert", "none", "--key", "none"};
  }

  private static Object[] wrong(String text, String... args) {
    return new Object[] {text, args};
  }

  private static Object[] wrong(String text, String command, String[] args) {
    return wrong(text, joined(new String[] {command}, args));
  }

  private static String[] joined(String[] some, String... more) {
    return Stream.of(some, more).flatMap(Arrays::stream).toArray(String[]::new);
  }

  private static Result succeeded(String out) {
    return new Result(0, out, "");
  }

  private static Result failed(int exitCode, String text, String hint) {
    return new Result(exitCode, "", "hmacctl: " + text + "\nhint: " + hint + "\n");
  }

  private record Result(int exitCode, String out, String err) {}
}
