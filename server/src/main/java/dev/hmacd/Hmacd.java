package dev.hmacd;

import dev.hmacd.command.CheckCommand;
import dev.hmacd.command.DevCommand;
import dev.hmacd.command.InitCommand;
import dev.hmacd.command.ServeCommand;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/// The daemon's program: arguments in, exit code out.
@Command(
    name = "hmacd",
    description = "A signing daemon whose HMAC keys live in an HSM.",
    mixinStandardHelpOptions = true,
    versionProvider = Hmacd.Version.class,
    subcommands = {ServeCommand.class, InitCommand.class, CheckCommand.class, DevCommand.class},
    footer = {
      "",
      "Exit codes: 0 done or stopped as asked; 2 usage; 75 it may work later;",
      "78 configuration or PIN refused, where trying again does not help."
    })
public final class Hmacd {
  private Hmacd() {}

  public static void main(String[] arguments) {
    int code = new CommandLine(new Hmacd()).execute(arguments);
    if (code != 0) {
      System.exit(code);
    }
  }

  /// The jar's own version.
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Hmacd.class.getPackage().getImplementationVersion();
      return new String[] {"hmacd " + (version == null ? "development" : version)};
    }
  }
}
