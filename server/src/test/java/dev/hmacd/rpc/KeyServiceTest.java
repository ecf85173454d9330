package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static dev.hmacd.testing.Reasons.info;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.FaultyToken.Gate;
import dev.hmacd.v1.AliasListEntry;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.DeleteAliasRequest;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.KeyListEntry;
import dev.hmacd.v1.KeyMetadata;
import dev.hmacd.v1.KeyOrigin;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.KeyState;
import dev.hmacd.v1.ListAliasesRequest;
import dev.hmacd.v1.ListAliasesResponse;
import dev.hmacd.v1.ListKeysRequest;
import dev.hmacd.v1.ListKeysResponse;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.UpdateAliasRequest;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Keys and aliases over gRPC, by each form of a key's name.
final class KeyServiceTest {
  private static final String PREFIX = "arn:aws:kms:eu-central-1:123456789012:";
  private static final String NO_KEY = "00000000-0000-0000-0000-000000000000";
  private static final FaultyToken TOKEN = new FaultyToken(SoftHsm.shared().token());
  private static final LoopbackDaemon DAEMON =
      LoopbackDaemon.withAdmin().wrapping(_ -> TOKEN).token("probe_interval: 1h");
  private static Caller admin;

  @SuppressWarnings("NullAway.Init") // start() sets the caller.
  KeyServiceTest() {}

  @BeforeAll
  static void start() {
    DAEMON.start();
    admin = DAEMON.as("admin");
  }

  @AfterAll
  static void stop() {
    DAEMON.close();
  }

  private static String createKey() {
    return admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
  }

  private static KeyMetadata describe(String name) {
    return admin
        .keys()
        .describeKey(DescribeKeyRequest.newBuilder().setKeyId(name).build())
        .getKeyMetadata();
  }

  private static void updateAlias(String alias, String target) {
    var _ =
        admin
            .keys()
            .updateAlias(
                UpdateAliasRequest.newBuilder().setAliasName(alias).setTargetKeyId(target).build());
  }

  private static void deleteAlias(String alias) {
    var _ = admin.keys().deleteAlias(DeleteAliasRequest.newBuilder().setAliasName(alias).build());
  }

  private static ListAliasesResponse aliases(String key, int size, String token) {
    return admin
        .keys()
        .listAliases(
            ListAliasesRequest.newBuilder()
                .setKeyId(key)
                .setPageSize(size)
                .setPageToken(token)
                .build());
  }

  private static ListKeysResponse keys(int size, String token) {
    return admin
        .keys()
        .listKeys(ListKeysRequest.newBuilder().setPageSize(size).setPageToken(token).build());
  }

  private static String freshAlias() {
    return "alias/" + SoftHsm.freshLabel("name");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "KEY_SPEC_HMAC_224, MAC_ALGORITHM_HMAC_SHA_224, 28",
    "KEY_SPEC_HMAC_256, MAC_ALGORITHM_HMAC_SHA_256, 32",
    "KEY_SPEC_HMAC_384, MAC_ALGORITHM_HMAC_SHA_384, 48",
    "KEY_SPEC_HMAC_512, MAC_ALGORITHM_HMAC_SHA_512, 64"
  })
  void newKeyIsDescribedWithItsAttributes(KeySpec spec, MacAlgorithm algorithm, int bytes) {
    KeyMetadata key =
        admin
            .keys()
            .createKey(
                CreateKeyRequest.newBuilder().setKeySpec(spec).setDescription("orders").build())
            .getKeyMetadata();
    assertThat(describe(key.getKeyId())).isEqualTo(key);
    assertThat(key.getKeyArn()).isEqualTo(PREFIX + "key/" + key.getKeyId());
    assertThat(key.getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
    assertThat(key.getKeySpec()).isEqualTo(spec);
    assertThat(key.getMacAlgorithmsList()).containsExactly(algorithm);
    assertThat(key.getOrigin()).isEqualTo(KeyOrigin.KEY_ORIGIN_GENERATED);
    assertThat(key.getCurrentKeyVersion()).isEqualTo(1);
    assertThat(key.getDescription()).isEqualTo("orders");
    var object = key.getTokenObject();
    assertThat(object.getLabel()).isEqualTo("hmacd/key/" + key.getKeyId() + "/1");
    assertThat(object.getSensitive()).isTrue();
    assertThat(object.getExtractable()).isFalse();
    assertThat(object.getNeverExtractable()).isTrue();
    assertThat(object.getAlwaysSensitive()).isTrue();
    assertThat(object.getLocal()).isTrue();
    assertThat(object.getKeyBytes()).isEqualTo(bytes);
    assertThat(object.getTokenSerial()).isEqualTo(TOKEN.info().serial());
    assertThat(admin.generateMac(key.getKeyId(), new byte[1], algorithm)).hasSize(bytes);
  }

  @Test
  void keyIsFoundByIdArnAliasAndAliasArn() {
    String id = createKey();
    String alias = freshAlias();
    admin.createAlias(alias, PREFIX + "key/" + id);
    KeyMetadata key = describe(id);
    byte[] mac = admin.generateMac(id, "hello");
    for (String name : List.of(PREFIX + "key/" + id, alias, PREFIX + alias)) {
      assertThat(describe(name)).as(name).isEqualTo(key);
      assertThat(admin.generateMac(name, "hello")).as(name).isEqualTo(mac);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "arn:aws:kms:eu-central-1:123456789012:key/alias/x",
        "arn:aws:kms:eu-central-1:123456789012:00000000-0000-0000-0000-000000000000",
        "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
        "arn:aws:kms:eu-central-1:000000000000:alias/x",
        "arn:aws:kms:eu-central-1:123456789012:",
        "key/00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-00000000000A",
        "00000000-0000-0000-0000-00000000000",
        "alias/",
        "alias/with space",
        "alias",
        "hmacd/own/probe",
        " "
      })
  void malformedNameIsInvalid(String name) {
    assertThatThrownBy(() -> describe(name))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_KEY_ID"));
    assertThatThrownBy(() -> admin.generateMac(name, "hello"))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_KEY_ID"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        NO_KEY,
        "arn:aws:kms:eu-central-1:123456789012:key/" + NO_KEY,
        "alias/none",
        "arn:aws:kms:eu-central-1:123456789012:alias/none"
      })
  void unknownNameIsNotFound(String name) {
    assertThatThrownBy(() -> describe(name))
        .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"))
        .satisfies(
            e ->
                assertThat(info((StatusRuntimeException) e).getMetadataMap())
                    .containsEntry("key_id", name));
  }

  @Test
  void aliasIsRefusedAsTargetAndAsFilter() {
    String id = createKey();
    String alias = freshAlias();
    admin.createAlias(alias, id);
    for (String name : List.of(alias, PREFIX + alias)) {
      assertThatThrownBy(() -> admin.createAlias(freshAlias(), name))
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_KEY_ID"));
      assertThatThrownBy(() -> updateAlias(alias, name))
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_KEY_ID"));
      assertThatThrownBy(() -> aliases(name, 10, ""))
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_KEY_ID"));
    }
  }

  @Test
  void aliasOfAMissingKeyIsRefused() {
    String alias = freshAlias();
    assertThatThrownBy(() -> admin.createAlias(alias, NO_KEY))
        .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"));
    admin.createAlias(alias, createKey());
    assertThatThrownBy(() -> updateAlias(alias, PREFIX + "key/" + NO_KEY))
        .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"));
    assertThatThrownBy(() -> aliases(NO_KEY, 10, ""))
        .satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"));
  }

  @Test
  void aliasIsCreatedMovedAndDeleted() {
    String one = createKey();
    String two = createKey();
    String alias = freshAlias();
    assertThatThrownBy(() -> updateAlias(alias, one))
        .satisfies(failsWith(Code.NOT_FOUND, "ALIAS_NOT_FOUND"));
    assertThatThrownBy(() -> deleteAlias(alias))
        .satisfies(failsWith(Code.NOT_FOUND, "ALIAS_NOT_FOUND"));
    admin.createAlias(alias, one);
    assertThatThrownBy(() -> admin.createAlias(alias, two))
        .satisfies(failsWith(Code.ALREADY_EXISTS, "ALIAS_ALREADY_EXISTS"));
    assertThat(describe(alias).getKeyId()).isEqualTo(one);
    updateAlias(alias, PREFIX + "key/" + two);
    assertThat(describe(alias).getKeyId()).isEqualTo(two);
    assertThat(aliases(one, 10, "").getAliasesList()).isEmpty();
    assertThat(aliases(PREFIX + "key/" + two, 10, "").getAliasesList())
        .extracting(AliasListEntry::getAliasName, AliasListEntry::getAliasArn)
        .containsExactly(tuple(alias, PREFIX + alias));
    deleteAlias(alias);
    assertThatThrownBy(() -> describe(alias)).satisfies(failsWith(Code.NOT_FOUND, "KEY_NOT_FOUND"));
    assertThat(describe(two).getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
  }

  @Test
  void fiftyFirstAliasOfAKeyIsRefused() {
    String id = createKey();
    String other = createKey();
    IntStream.range(0, 50).forEach(_ -> admin.createAlias(freshAlias(), id));
    String alias = freshAlias();
    assertThatThrownBy(() -> admin.createAlias(alias, id))
        .satisfies(failsWith(Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"))
        .satisfies(
            e ->
                assertThat(info((StatusRuntimeException) e).getMetadataMap())
                    .containsEntry("maximum", "50"));
    admin.createAlias(alias, other);
    assertThatThrownBy(() -> updateAlias(alias, id))
        .satisfies(failsWith(Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "orders",
        "alias/",
        "alias/ä",
        "alias/a b",
        "alias/a:b",
        "Alias/a",
        "alias/aws/s3",
        "alias/a\n",
        "arn:aws:kms:eu-central-1:123456789012:alias/a"
      })
  void malformedOrReservedAliasIsInvalid(String name) {
    String id = createKey();
    assertThatThrownBy(() -> admin.createAlias(name, id))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD"));
    assertThatThrownBy(() -> updateAlias(name, id))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD"));
    assertThatThrownBy(() -> deleteAlias(name))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD"));
  }

  @Test
  void aliasHas256CharactersAtMost() {
    String id = createKey();
    String longest = freshAlias() + "/";
    longest += "x".repeat(256 - longest.length());
    admin.createAlias(longest, id);
    assertThat(describe(longest).getKeyId()).isEqualTo(id);
    String longer = longest + "x";
    assertThatThrownBy(() -> admin.createAlias(longer, id))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD"));
  }

  @ParameterizedTest(name = "of {0}")
  @ValueSource(strings = {"a", "ä", "鍵", "\uD83D\uDD11", "\n", "\u0000"})
  void descriptionHas8192CharactersAtMost(String character) {
    String longest = character.repeat(8192);
    KeyMetadata key = createKey(longest);
    assertThat(key.getDescription()).isEqualTo(longest);
    assertThat(describe(key.getKeyId()).getDescription()).isEqualTo(longest);
    assertThatThrownBy(() -> createKey(longest + character))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD"));
  }

  private static KeyMetadata createKey(String description) {
    return admin
        .keys()
        .createKey(
            CreateKeyRequest.newBuilder()
                .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
                .setDescription(description)
                .build())
        .getKeyMetadata();
  }

  @ParameterizedTest(name = "pages of {0}")
  @ValueSource(ints = {1, 3, 1000})
  void pagesOfKeysAreSortedAndComplete(int size) {
    Set<String> before = Set.copyOf(IntStream.range(0, 7).mapToObj(_ -> createKey()).toList());
    List<String> listed = new ArrayList<>();
    String token = "";
    do {
      ListKeysResponse page = keys(size, token);
      assertThat(page.getKeysCount()).isLessThanOrEqualTo(size);
      page.getKeysList().stream().map(KeyListEntry::getKeyId).forEach(listed::add);
      token = page.getNextPageToken();
      createKey();
    } while (!token.isEmpty() && listed.size() < 1000);
    assertThat(listed).isSorted().doesNotHaveDuplicates().containsAll(before);
  }

  @Test
  void pagesOfAliasesAreSortedAndOfTheRequestedKey() {
    String one = createKey();
    String two = createKey();
    List<String> names = IntStream.range(0, 5).mapToObj(_ -> freshAlias()).sorted().toList();
    names.forEach(name -> admin.createAlias(name, one));
    admin.createAlias(freshAlias(), two);
    List<String> listed = new ArrayList<>();
    String token = "";
    do {
      ListAliasesResponse page = aliases(one, 2, token);
      page.getAliasesList().forEach(each -> listed.add(each.getAliasName()));
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    assertThat(listed).isEqualTo(names);
    assertThat(aliases("", 100, "").getAliasesList())
        .extracting(AliasListEntry::getAliasName)
        .containsAll(names)
        .isSorted();
  }

  @Test
  void pageTokenIsValidForItsOwnListOnly() {
    String one = createKey();
    String two = createKey();
    for (String key : List.of(one, two)) {
      admin.createAlias(freshAlias(), key);
      admin.createAlias(freshAlias(), key);
    }
    String ofKeys = keys(1, "").getNextPageToken();
    String ofAliases = aliases("", 1, "").getNextPageToken();
    String ofOne = aliases(one, 1, "").getNextPageToken();
    assertThat(List.of(ofKeys, ofAliases, ofOne)).doesNotContain("");
    assertThat(aliases(one, 1, ofOne).getAliasesCount()).isEqualTo(1);
    for (String token : List.of(ofAliases, ofOne, "x", "!", ofKeys + "=")) {
      assertThatThrownBy(() -> keys(1, token))
          .as(token)
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"));
    }
    for (String token : List.of(ofKeys, ofOne)) {
      assertThatThrownBy(() -> aliases("", 1, token))
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"));
      assertThatThrownBy(() -> aliases(two, 1, token))
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"));
    }
  }

  @Test
  void pageSizeOutOfBoundsIsInvalid() {
    for (int size : new int[] {-1, 1001, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
      assertThatThrownBy(() -> keys(size, ""))
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD"));
    }
    for (int size : new int[] {-1, 101}) {
      assertThatThrownBy(() -> aliases("", size, ""))
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD"));
    }
  }

  @Test
  void keyInStateCreatingIsListedAndCannotBeUsedOrAliased() throws Exception {
    Set<String> before = Set.copyOf(ids());
    try (Gate gate = TOKEN.blocking(Call.GENERATE)) {
      var making =
          KeyServiceGrpc.newFutureStub(admin.channel())
              .createKey(
                  CreateKeyRequest.newBuilder().setKeySpec(KeySpec.KEY_SPEC_HMAC_256).build());
      gate.awaitEntered();
      List<String> created = ids().stream().filter(id -> !before.contains(id)).toList();
      assertThat(created).hasSize(1);
      String id = created.getFirst();
      assertThat(describe(id).getKeyState()).isEqualTo(KeyState.KEY_STATE_CREATING);
      String alias = freshAlias();
      String other = freshAlias();
      admin.createAlias(other, createKey());
      assertThatThrownBy(() -> admin.generateMac(id, "hello"))
          .satisfies(failsWith(Code.FAILED_PRECONDITION, "KEY_NOT_USABLE"));
      assertThatThrownBy(() -> admin.createAlias(alias, id))
          .satisfies(failsWith(Code.FAILED_PRECONDITION, "KEY_NOT_USABLE"));
      assertThatThrownBy(() -> updateAlias(other, id))
          .satisfies(failsWith(Code.FAILED_PRECONDITION, "KEY_NOT_USABLE"));
      gate.release();
      assertThat(making.get().getKeyMetadata().getKeyId()).isEqualTo(id);
      admin.createAlias(alias, id);
    }
  }

  private static List<String> ids() {
    return keys(1000, "").getKeysList().stream().map(KeyListEntry::getKeyId).toList();
  }

  @Test
  void keyWithoutObjectOnTheTokenIsUnavailableAndStillDescribed() {
    String id = createKey();
    SoftHsm.shared().delete("hmacd/key/" + id + "/1");
    assertThatThrownBy(() -> admin.generateMac(id, "hello"))
        .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE"));
    assertThat(describe(id).getTokenObject().getId()).isNotEqualTo(ByteString.EMPTY);
  }
}
