package dev.hmacd.usecase;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.access.Action;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.AccessKeyMetadata;
import dev.hmacd.v1.CreateAccessKeyRequest;
import dev.hmacd.v1.CreateAccessKeyResponse;
import dev.hmacd.v1.DeleteAccessKeyRequest;
import dev.hmacd.v1.DisableAccessKeyRequest;
import dev.hmacd.v1.ListAccessKeysRequest;
import io.grpc.Status.Code;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Access keys are created, listed, disabled and deleted. The registry has no secret.
final class AccessKeyTest {
  private static final String PRINCIPAL = "arn:aws:iam::123456789012:user/ci";
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .allowingAll("admin")
          .allowing(
              "keeper",
              List.copyOf(
                  EnumSet.complementOf(
                      EnumSet.of(
                          Action.CREATE_ACCESS_KEY,
                          Action.LIST_ACCESS_KEYS,
                          Action.DISABLE_ACCESS_KEY,
                          Action.DELETE_ACCESS_KEY))),
              "*");

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private static Caller admin;

  @BeforeAll
  static void start() {
    admin = daemon.start().as("admin");
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  private static CreateAccessKeyResponse make(Caller caller, String principal) {
    return caller
        .accessKeys()
        .createAccessKey(CreateAccessKeyRequest.newBuilder().setPrincipal(principal).build());
  }

  private static List<AccessKeyMetadata> list() {
    List<AccessKeyMetadata> all = new ArrayList<>();
    String token = "";
    do {
      var page =
          admin
              .accessKeys()
              .listAccessKeys(
                  ListAccessKeysRequest.newBuilder().setPageSize(2).setPageToken(token).build());
      all.addAll(page.getAccessKeysList());
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    return all;
  }

  @Test
  void accessKeyHasTheFormatOfAwsAndAUniqueSecret() {
    CreateAccessKeyResponse one = make(admin, PRINCIPAL);
    CreateAccessKeyResponse two = make(admin, PRINCIPAL);
    assertThat(one.getAccessKey().getAccessKeyId()).matches("HMAK[A-Z2-7]{16}");
    assertThat(one.getSecretAccessKey()).matches("[A-Za-z0-9+/]{40}");
    assertThat(one.getSecretAccessKey()).isNotEqualTo(two.getSecretAccessKey());
    assertThat(one.getAccessKey().getPrincipal()).isEqualTo(PRINCIPAL);
    assertThat(list()).contains(one.getAccessKey(), two.getAccessKey());
  }

  @Test
  void disabledAccessKeyIsListedAndDeletedAccessKeyIsNot() {
    AccessKeyMetadata made = make(admin, PRINCIPAL).getAccessKey();
    String id = made.getAccessKeyId();
    var _ =
        admin
            .accessKeys()
            .disableAccessKey(DisableAccessKeyRequest.newBuilder().setAccessKeyId(id).build());
    assertThat(list()).contains(made.toBuilder().setActive(false).build());
    var delete = DeleteAccessKeyRequest.newBuilder().setAccessKeyId(id).build();
    var _ = admin.accessKeys().deleteAccessKey(delete);
    assertThat(list()).extracting(AccessKeyMetadata::getAccessKeyId).doesNotContain(id);
    assertThatThrownBy(() -> admin.accessKeys().deleteAccessKey(delete))
        .satisfies(failsWith(Code.NOT_FOUND, "ACCESS_KEY_NOT_FOUND", "access_key_id", id));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "ci",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::210987654321:user/ci",
        "arn:aws:iam::123456789012:role/ci",
        "arn:aws:iam::123456789012:user/a b",
        "arn:aws:iam::123456789012:user/*",
        "spiffe://test/admin",
        "uid:0"
      })
  void principalOfAnotherKindOrAccountIsRefused(String principal) {
    assertThatThrownBy(() -> make(admin, principal))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD", "field", "principal"));
  }

  @Test
  void callerWithoutTheActionCannotCreateAccessKeys() {
    Caller keeper = daemon.as("keeper");
    assertThatThrownBy(() -> make(keeper, PRINCIPAL))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));
    assertThatThrownBy(
            () -> keeper.accessKeys().listAccessKeys(ListAccessKeysRequest.getDefaultInstance()))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));
  }

  @Test
  void registryDoesNotContainTheSecret() throws IOException {
    String secret = make(admin, PRINCIPAL).getSecretAccessKey();
    byte[] raw = java.util.Base64.getDecoder().decode(secret);
    List<String> traces =
        List.of(
            secret, HexFormat.of().formatHex(raw), new String(raw, StandardCharsets.ISO_8859_1));
    try (var files = Files.list(daemon.folder())) {
      for (var file :
          files.filter(each -> each.getFileName().toString().startsWith("registry")).toList()) {
        String bytes = Files.readString(file, StandardCharsets.ISO_8859_1);
        assertThat(traces).noneMatch(bytes::contains);
      }
    }
  }
}
