package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.client.FakeDaemon;
import io.grpc.Status.Code;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Errors that hmacctl explains itself, and the commands `health` and `generate-random`.
@Timeout(30)
class CommandErrorTest {
  // RFC 4231, section 4.3, under the daemon's key "Jefe".
  private static final String MESSAGE = "what do ya want for nothing?";
  private static final String MAC = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
  private static final String MAC_HEX =
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  private static final String KEY = FakeDaemon.KEY_ID;
  private static final Pattern MEMBER = Pattern.compile("\"([A-Za-z]+)\": ");

  /// Options with which each command succeeds. The commands run in the order of the help.
  private static final Map<String, List<String>> SUCCESSFUL =
      Map.ofEntries(
          Map.entry("generate-mac", macOptions("HMAC_SHA_256")),
          Map.entry("verify-mac", with(macOptions("HMAC_SHA_256"), "--mac", MAC)),
          Map.entry("create-key", List.of("--key-spec", "HMAC_256")),
          Map.entry("adopt-key", List.of("--key-spec", "HMAC_256", "--object-label", "x")),
          Map.entry("describe-key", List.of("--key-id", KEY)),
          Map.entry("list-keys", List.of("--max-items", "1")),
          Map.entry("enable-key", List.of("--key-id", KEY)),
          Map.entry("disable-key", List.of("--key-id", KEY)),
          Map.entry("schedule-key-deletion", List.of("--key-id", KEY)),
          Map.entry("cancel-key-deletion", List.of("--key-id", KEY)),
          Map.entry("update-key-description", List.of("--key-id", KEY, "--description", "x")),
          Map.entry("create-alias", List.of("--alias-name", "alias/new", "--target-key-id", KEY)),
          Map.entry(
              "update-alias", List.of("--alias-name", "alias/orders", "--target-key-id", KEY)),
          Map.entry("delete-alias", List.of("--alias-name", "alias/orders")),
          Map.entry("list-aliases", List.<String>of()),
          Map.entry("tag-resource", List.of("--key-id", KEY, "--tags", "TagKey=a,TagValue=b")),
          Map.entry("untag-resource", List.of("--key-id", KEY, "--tag-keys", "other")),
          Map.entry("list-resource-tags", List.of("--key-id", KEY)),
          Map.entry(
              "create-access-key", List.of("--principal", "arn:aws:iam::000000000000:user/ci")),
          Map.entry("list-access-keys", List.<String>of()),
          Map.entry("disable-access-key", List.of("--access-key-id", "HMAKAAAAAAAAAAAAAAAA")),
          Map.entry("delete-access-key", List.of("--access-key-id", "HMAKAAAAAAAAAAAAAAAA")),
          Map.entry("generate-random", List.of("--number-of-bytes", "3")),
          Map.entry("health", List.of("--service", "hmacd.v1.MacService")));

  private final Path folder;
  private final FakeDaemon daemon;
  private final Map<String, String> environment;

  CommandErrorTest(@TempDir Path folder) {
    this.folder = folder;
    Path socket = folder.resolve("hmacd.sock");
    this.daemon = FakeDaemon.overUnixSocket(socket);
    this.environment = Map.of("HMACD_SOCKET", socket.toString());
  }

  @AfterEach
  void close() {
    daemon.close();
  }

  private static List<String> macOptions(String algorithm) {
    return List.of("--key-id", KEY, "--message", MESSAGE, "--mac-algorithm", algorithm);
  }

  private static List<String> with(List<String> options, String... more) {
    return Stream.concat(options.stream(), Stream.of(more)).toList();
  }

  private Ctl.Result run(String... args) {
    return Ctl.run(environment, args);
  }

  /// Runs a command with options with which it succeeds.
  private Ctl.Result successful(String command, String... more) {
    List<String> args = new ArrayList<>();
    args.add(command);
    args.addAll(Objects.requireNonNull(SUCCESSFUL.get(command), command));
    args.addAll(List.of(more));
    return run(args.toArray(String[]::new));
  }

  private Ctl.Result verify(String algorithm, String mac) {
    List<String> args = new ArrayList<>(List.of("verify-mac"));
    args.addAll(with(macOptions(algorithm), "--mac", mac));
    return run(args.toArray(String[]::new));
  }

  private static Ctl.Result failed(int exitCode, String text, String hint) {
    return new Ctl.Result(exitCode, "", "hmacctl: " + text + "\nhint: " + hint + "\n");
  }

  /// The text of an error of the fake daemon.
  private String ofDaemon(String reason) {
    return reason + ": a fake's " + reason + " (target " + daemon.target() + ", 1 attempts)";
  }

  static Stream<Arguments> wrongQueries() {
    return Stream.of(
        Arguments.of(
            "generate-mac",
            "mac",
            "the answer of generate-mac has no field mac",
            "Did you mean 'Mac'? The fields are KeyId, Mac, MacAlgorithm, KeyVersion."),
        Arguments.of(
            "generate-mac",
            "Signature",
            "the answer of generate-mac has no field Signature",
            "The fields are KeyId, Mac, MacAlgorithm, KeyVersion."),
        Arguments.of(
            "create-access-key",
            "AccessKey.SecretKey",
            "the answer of create-access-key has no field AccessKey.SecretKey",
            "The fields are AccessKeyId, Principal, Status, CreateDate, SecretAccessKey."),
        Arguments.of(
            "create-key",
            "KeyId",
            "the answer of create-key has no field KeyId",
            "The fields are KeyMetadata."),
        Arguments.of(
            "list-keys", "Keys.KeyId", "Keys is a list", "Use Keys[] for each of its items."),
        Arguments.of(
            "list-keys",
            "Keys[].Keyid",
            "the answer of list-keys has no field Keys[].Keyid",
            "Did you mean 'KeyId'? The fields are KeyId, KeyArn."),
        Arguments.of("generate-mac", "Mac[]", "Mac is not a list", "Omit '[]' after Mac."),
        Arguments.of(
            "generate-mac",
            "Mac.Length",
            "the answer of generate-mac has no field Mac.Length",
            "Mac has no fields."),
        Arguments.of(
            "delete-alias",
            "AliasName",
            "the answer of delete-alias has no field AliasName",
            "The answer has no fields."));
  }

  /// Before the call: the secret of an access key is shown only once.
  @ParameterizedTest(name = "{0} --query {1}")
  @MethodSource("wrongQueries")
  void queryForAFieldThatNoAnswerHasIsRefusedBeforeTheCall(
      String command, String query, String text, String hint) {
    for (String format : List.of("json", "text", "table")) {
      assertThat(successful(command, "--query", query, "--output", format))
          .isEqualTo(
              failed(2, "--query: " + text, hint + " See 'hmacctl " + command + " --help'."));
    }
    assertThat(daemon.calls()).isEmpty();
  }

  @Test
  void queryForAFieldThatThisAnswerLacksIsAnErrorOfItsOwn() {
    for (String format : List.of("json", "text", "table")) {
      assertThat(
              successful("describe-key", "--query", "KeyMetadata.DeletionDate", "--output", format))
          .isEqualTo(
              failed(
                  10,
                  "--query: this answer has no field KeyMetadata.DeletionDate",
                  "The request succeeded. Omit --query for the whole answer."));
    }
    assertThat(successful("list-resource-tags", "--query", "Tags[].TagKey"))
        .isEqualTo(new Ctl.Result(0, "[]\n", ""));
    assertThat(successful("describe-key", "--query", "KeyMetadata.MacAlgorithms[]").exitCode())
        .isZero();
  }

  @Test
  void exampleOfEachCommandHasEachMemberOfItsAnswers() {
    for (Command command : Command.ALL) {
      Ctl.Result result = successful(command.name());
      assertThat(result.exitCode()).as(command.name() + result.err()).isZero();
      assertThat(members(Json.render(command.example().get())))
          .as(command.name())
          .containsAll(members(result.out()));
      assertThat(members(result.out()).isEmpty())
          .as(command.name())
          .isEqualTo(members(Json.render(command.example().get())).isEmpty());
    }
  }

  private static List<String> members(String json) {
    return MEMBER.matcher(json).results().map(member -> member.group(1)).toList();
  }

  @Test
  void macOfTheWrongLengthIsExplained() throws IOException {
    String distrust = "Do not trust the message. ";
    Path hexFile = Files.writeString(folder.resolve("hex"), MAC_HEX + "\n");
    Path base64File = Files.writeString(folder.resolve("base64"), MAC + "\n");
    assertThat(verify("HMAC_SHA_256", "fileb://" + hexFile))
        .isEqualTo(
            failed(
                1,
                "KMS_INVALID_MAC: the MAC has 65 bytes, HMAC_SHA_256 has 32",
                distrust + "The bytes are hexadecimal digits: use --mac hex: with these digits."));
    assertThat(verify("HMAC_SHA_256", "fileb://" + base64File))
        .isEqualTo(
            failed(
                1,
                "KMS_INVALID_MAC: the MAC has 45 bytes, HMAC_SHA_256 has 32",
                distrust + "The bytes are base64: use --mac with this text."));
    assertThat(verify("HMAC_SHA_512", MAC_HEX))
        .isEqualTo(
            failed(
                1,
                "KMS_INVALID_MAC: the MAC has 48 bytes, HMAC_SHA_512 has 64",
                distrust
                    + "--mac has hexadecimal digits, which were decoded as base64: add the prefix"
                    + " hex:"));
    byte[] longer = new byte[48];
    Arrays.fill(longer, (byte) -1); // Zeros in base64 would be hexadecimal digits, too.
    assertThat(verify("HMAC_SHA_256", Base64.getEncoder().encodeToString(longer)))
        .isEqualTo(
            failed(
                1,
                "KMS_INVALID_MAC: the MAC has 48 bytes, HMAC_SHA_256 has 32",
                distrust + "A MAC of HMAC_SHA_384 has this length: check --mac-algorithm."));
    assertThat(verify("HMAC_SHA_256", "hex:" + MAC_HEX.substring(0, 32)))
        .isEqualTo(
            failed(
                1,
                "KMS_INVALID_MAC: the MAC has 16 bytes, HMAC_SHA_256 has 32",
                distrust + "A truncated MAC never matches."));
    assertThat(verify("HMAC_SHA_256", "hex:" + MAC_HEX + "00"))
        .isEqualTo(
            failed(
                1,
                "KMS_INVALID_MAC: the MAC has 33 bytes, HMAC_SHA_256 has 32",
                distrust + "A MAC with further bytes never matches."));
    assertThat(verify("HMAC_SHA_256", "hex:" + MAC_HEX.replace('5', '6')))
        .isEqualTo(failed(1, ofDaemon("KMS_INVALID_MAC"), "Do not trust the message."));
    assertThat(daemon.calls()).containsExactly("VerifyMac");
  }

  @Test
  void emptyMessageIsALocalFault() {
    Ctl.Result result =
        run("generate-mac", "--key-id", KEY, "--mac-algorithm", "HMAC_SHA_256", "--message", "");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err()).startsWith("hmacctl: INVALID_ARGUMENT: the message is empty ");
    assertThat(daemon.calls()).isEmpty();
  }

  @Test
  void tooLongMessageHasTheLimitAndNoLengthOfItsReadPart() {
    Ctl.Result result =
        Ctl.run(
            environment,
            new ByteArrayInputStream("x".repeat(2 << 20).getBytes(UTF_8)),
            "generate-mac",
            "--key-id",
            KEY,
            "--mac-algorithm",
            "HMAC_SHA_256",
            "--message",
            "-");
    assertThat(result)
        .isEqualTo(
            failed(
                2,
                "MESSAGE_TOO_LONG: --message has more than 1048576 bytes",
                "Send a shorter message, or the MAC of a hash of the message."));
    assertThat(daemon.calls()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "verify-mc, 'Did you mean ''verify-mac''? '",
    "completions, 'Did you mean ''completion''? '",
    "sign, ''"
  })
  void mistypedCommandHasASuggestion(String command, String hint) {
    assertThat(run(command))
        .isEqualTo(failed(2, "unknown command: " + command, hint + "See 'hmacctl --help'."));
  }

  @ParameterizedTest
  @CsvSource({
    "--kye-id, 'Did you mean ''--key-id''? '",
    "--outputs=text, 'Did you mean ''--output''? '",
    "--nothing, ''"
  })
  void mistypedOptionHasASuggestion(String option, String hint) {
    assertThat(run("describe-key", option, "x"))
        .isEqualTo(
            failed(2, "unknown option: " + option, hint + "See 'hmacctl describe-key --help'."));
    assertThat(daemon.calls()).isEmpty();
  }

  @Test
  void wrongChoiceIsNamed() {
    assertThat(run("list-keys", "--output", "xml"))
        .isEqualTo(
            failed(
                2,
                "--output must be one of json, text, table: xml",
                "See 'hmacctl list-keys --help'."));
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({"enable-key, --key-id", "disable-key, --key-id", "schedule-key-deletion, --key-id"})
  void refusedAliasHasItsKey(String command, String option) {
    for (String alias : List.of("alias/orders", "arn:hmacd:kms:local:000000000000:alias/orders")) {
      Ctl.Result result = run(command, option, alias);
      assertThat(result.exitCode()).isEqualTo(5);
      assertThat(result.err())
          .startsWith(
              "hmacctl: INVALID_KEY_ID: "
                  + command
                  + " "
                  + option
                  + " accepts a key id or key ARN, no alias: "
                  + alias
                  + "\nhint: ");
    }
    assertThat(run(command, option, "alias/orders").err())
        .endsWith("\nhint: The alias leads to this key now: " + option + " " + KEY + "\n");
  }

  @Test
  void refusedAliasOfAKeyThatTheCallerMayNotDescribeHasNoKey() {
    daemon.failing(1, Code.INVALID_ARGUMENT, "INVALID_KEY_ID", "field", "key_id");
    daemon.failing(1, Code.PERMISSION_DENIED, "ACCESS_DENIED");
    assertThat(run("disable-key", "--key-id", "alias/orders"))
        .isEqualTo(
            failed(
                5,
                "INVALID_KEY_ID: disable-key --key-id accepts a key id or key ARN, no alias:"
                    + " alias/orders",
                "Use the id of the key that the alias leads to."));
    assertThat(daemon.calls()).containsExactly("DisableKey", "DescribeKey");
  }

  @Test
  void refusedTargetOfAnAliasIsExplained() {
    assertThat(
            run("create-alias", "--alias-name", "alias/new", "--target-key-id", "alias/orders")
                .err())
        .contains("create-alias --target-key-id accepts a key id or key ARN, no alias")
        .contains(KEY);
  }

  @Test
  void malformedAliasWhereAliasesAreAcceptedKeepsItsError() {
    daemon.failing(1, Code.INVALID_ARGUMENT, "INVALID_KEY_ID", "field", "key_id");
    assertThat(run("describe-key", "--key-id", "alias/a b").err())
        .startsWith("hmacctl: " + ofDaemon("INVALID_KEY_ID") + "\n");
    assertThat(daemon.calls()).containsExactly("DescribeKey");
  }

  @Test
  void randomBytesAreBase64() {
    assertThat(run("generate-random", "--number-of-bytes", "3"))
        .isEqualTo(new Ctl.Result(0, "{\n    \"Plaintext\": \"AAEC\"\n}\n", ""));
    assertThat(
            run(
                    "generate-random",
                    "--number-of-bytes",
                    "3",
                    "--query",
                    "Plaintext",
                    "--output",
                    "text")
                .out())
        .isEqualTo("AAEC\n");
    assertThat(run("generate-random", "--number-of-bytes", "1025").exitCode()).isEqualTo(5);
    assertThat(run("generate-random", "--number-of-bytes", "0").exitCode()).isEqualTo(2);
    assertThat(run("generate-random").err())
        .startsWith("hmacctl: missing option: --number-of-bytes\n");
  }

  @Test
  void healthOfAServingDaemonIsSuccess() {
    assertThat(run("health"))
        .isEqualTo(new Ctl.Result(0, "{\n    \"Status\": \"SERVING\"\n}\n", ""));
    assertThat(run("health", "--output", "text").out()).isEqualTo("SERVING\n");
    assertThat(run("health", "--service", "hmacd.v1.MacService", "--output", "text").out())
        .isEqualTo("hmacd.v1.MacService\tSERVING\n");
  }

  @Test
  void healthOfADaemonThatDoesNotServeIsUnavailable() {
    daemon.health(2);
    assertThat(run("health"))
        .isEqualTo(
            failed(
                6,
                "NOT_SERVING: no token is in service, or the daemon starts or stops",
                "Try again. If the status persists, the daemon's log has the cause."));
    daemon.health(0);
    assertThat(run("health").exitCode()).isEqualTo(6);
    daemon.close();
    Ctl.Result unreachable = run("health");
    assertThat(unreachable.exitCode()).isEqualTo(6);
    assertThat(unreachable.err()).startsWith("hmacctl: CONNECTION_FAILED: ");
  }

  @Test
  void healthOfAnUnknownServiceIsRefused() {
    assertThat(run("health", "--service", "hmacd.v1.NoService"))
        .isEqualTo(
            failed(
                5,
                ofDaemon("SERVICE_NOT_FOUND"),
                "Use a service of the daemon, such as hmacd.v1.MacService, or omit --service."));
  }
}
