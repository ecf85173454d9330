package dev.hmacd.config;

import dev.hmacd.token.KeyTypeSetting;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.TokenSelector;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Reads the settings of the tokens from the configuration file.
final class TokenSections {
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Duration DAY = Duration.ofHours(24);

  private TokenSections() {}

  /// Reads the list `tokens`; if the list is missing, the section `token`.
  static List<Config.TokenSettings> tokens(Section root) {
    List<Section> several = root.sections("tokens");
    if (several.isEmpty()) {
      return List.of(token(root.section("token"), false));
    }
    if (root.optionalSection("token").isPresent()) {
      root.problem("token", "configure either token or tokens, not both");
    }
    List<Config.TokenSettings> tokens =
        several.stream().map(section -> token(section, several.size() > 1)).toList();
    long different = tokens.stream().map(Config.TokenSettings::selector).distinct().count();
    if (different < tokens.size()) {
      root.problem("tokens", "two entries select the same token; remove one of them");
    }
    Map<Object, Optional<String>> initArgs = new HashMap<>();
    for (Config.TokenSettings token : tokens) {
      Optional<String> known =
          initArgs.putIfAbsent(Pkcs11Modules.identity(token.module()), token.initArgs());
      if (known != null && !known.equals(token.initArgs())) {
        root.problem(
            "tokens",
            "tokens of one module must have the same init_args: the module is initialised once");
      }
    }
    return tokens;
  }

  /// @param bySerial whether the section must select the token by serial number; true with several
  ///   tokens, because only the serial number identifies an absent token
  private static Config.TokenSettings token(Section section, boolean bySerial) {
    Path module = section.requiredPath("module");
    Optional<String> label = section.optionalString("label");
    Optional<String> serial = section.optionalString("serial");
    if (bySerial && (label.isPresent() || serial.isEmpty())) {
      section.problem("serial", "is required with several tokens; label is not allowed");
    } else if (label.isPresent() == serial.isPresent()) {
      section.problem("label", "configure either label or serial, not both");
    }
    TokenSelector selector =
        serial
            .<TokenSelector>map(TokenSelector.BySerial::new)
            .orElseGet(() -> new TokenSelector.ByLabel(label.orElse("")));
    Config.TokenSettings token =
        new Config.TokenSettings(
            module,
            section.optionalString("init_args"),
            selector,
            section.requiredPath("pin_file"),
            section.number("lanes", 2, 1, 1024),
            section.number("queue", 4096, 1, 1_000_000),
            section.bool("session_copies", true),
            section.bool("verify_macs", false),
            section
                .parsed("key_type", section.string("key_type", "auto"), TokenSections::keyType)
                .orElse(KeyTypeSetting.AUTO),
            new Config.Probing(
                section.duration("probe_interval", SECOND, Duration.ofMillis(50), DAY),
                section.duration(
                    "probe_timeout", Duration.ofSeconds(5), Duration.ofMillis(10), DAY),
                section.duration("lost_after", Duration.ofMinutes(1), SECOND, DAY),
                section.bool("exit_when_lost", false)),
            new Config.Hanging(
                section.duration(
                    "hang_timeout", Duration.ofSeconds(10), Duration.ofMillis(100), DAY),
                section.number("max_replaced_lanes", 16, 0, 1024)));
    section.done();
    return token;
  }

  private static KeyTypeSetting keyType(String text) {
    for (KeyTypeSetting setting : KeyTypeSetting.values()) {
      if (setting.name().equalsIgnoreCase(text)) {
        return setting;
      }
    }
    throw new IllegalArgumentException("must be auto, generic or hmac");
  }
}
