package dev.hmacd.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import java.net.URI;
import java.net.URL;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// All published cases of RFC 4231, Wycheproof and NIST CAVP, through a running daemon with mutual
/// TLS, under imported keys.
final class PublishedVectorsTest {
  @TempDir private Path folder;

  @Test
  void rfc4231HoldsForEveryCaseAndAlgorithm() {
    try (LoopbackDaemon daemon = LoopbackDaemon.withAdmin().start()) {
      var tally = new VectorRun(SoftHsm.shared(), daemon.as("admin")).run(Rfc4231.all());
      report("RFC 4231", tally);
      // 7 cases with 4 algorithms. Cases 1 to 5 have keys of 4 to 25 bytes.
      assertThat(tally).isEqualTo(new VectorRun.Tally(28, 0, 20));
    }
  }

  /// For each file: the number of cases, of refused cases (empty messages, modified MACs), and of
  /// cases with a key of half the hash's length.
  @ParameterizedTest(name = "{0}")
  @Tag("slow")
  @CsvSource({
    "hmac_sha224_test.json, HMAC_SHA_224, 172, 112, 6",
    "hmac_sha256_test.json, HMAC_SHA_256, 174, 114, 6",
    "hmac_sha384_test.json, HMAC_SHA_384, 174, 114, 6",
    "hmac_sha512_test.json, HMAC_SHA_512, 174, 114, 6",
  })
  void wycheproofHolds(
      String name, MacAlgorithm algorithm, int cases, int refused, int notLoadable) {
    Wycheproof tests = Wycheproof.read(published("wycheproof/" + name), algorithm);
    assertThat(tests.cases()).hasSize(tests.declared()).hasSize(cases);
    var tally = run(tests.cases());
    report(name, tally);
    assertThat(tally).isEqualTo(new VectorRun.Tally(cases - refused, refused, notLoadable));
  }

  @ParameterizedTest(name = "{0}, {1} cases")
  @Tag("slow")
  @CsvSource({"HMAC_SHA_224, 375", "HMAC_SHA_256, 225", "HMAC_SHA_384, 300", "HMAC_SHA_512, 375"})
  void nistCavpHolds(MacAlgorithm algorithm, int count) {
    Cavp file = Cavp.read(published("cavp/HMAC.rsp"));
    assertThat(file.cases()).hasSize(1275);
    assertThat(file.sha1()).isEqualTo(300);
    List<MacVector> cases =
        file.cases().stream().filter(each -> each.algorithm() == algorithm).toList();
    assertThat(cases).hasSize(count);
    var tally = run(cases);
    report(
        "NIST CAVP HMAC.rsp, "
            + algorithm
            + " (and "
            + file.sha1()
            + " of the file's cases are SHA-1's, which is not served)",
        tally);
    assertThat(tally).isEqualTo(new VectorRun.Tally(count, 0, 0));
  }

  /// Uses its own token: on SoftHSM2 the time of a search grows with the number of keys.
  private VectorRun.Tally run(List<MacVector> cases) {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    var files = LoopbackDaemon.on(hsm).allowingAll("admin").token("lanes: 1");
    try (DaemonProcess daemon = DaemonProcess.start(files, hsm, Map.of())) {
      return new VectorRun(hsm, daemon.as("admin")).run(cases);
    }
  }

  /// A file in the test resources of this package.
  private static Path published(String name) {
    URL file = PublishedVectorsTest.class.getResource(name);
    return Path.of(URI.create(Objects.requireNonNull(file, name).toString()));
  }

  private static void report(String what, VectorRun.Tally tally) {
    System.out.println(what + ": " + tally.cases() + " cases: " + tally);
  }
}
