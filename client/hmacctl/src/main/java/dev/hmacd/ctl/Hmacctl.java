package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.Optional;
import java.util.logging.LogManager;
import java.util.stream.Stream;

/// The main class of `hmacctl`: finds and runs the command, and reports a failure as one line, a
/// hint and an exit code. The command line is parsed without a library, because a library took
/// longer than the call to the daemon.
public final class Hmacctl {
  private Hmacctl() {}

  /// Runs the command and ends the process.
  public static void main(String[] args) {
    LogManager.getLogManager().reset(); // gRPC and Netty would log the errors a second time.
    var out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, UTF_8);
    var err = new PrintStream(new FileOutputStream(FileDescriptor.err), false, UTF_8);
    int exitCode = run(new Terminal(System.getenv(), System.in, out, err), args);
    if (exitCode == ExitCode.MAC_DOES_NOT_MATCH.code) {
      // The launcher script sets another exit code here, because a JVM that cannot start also ends
      // with 1.
      exitCode = Integer.getInteger("hmacctl.mac_does_not_match", exitCode);
    }
    // No work is left, and a normal end of the JVM would wait for Netty's threads.
    Runtime.getRuntime().halt(exitCode);
  }

  /// Runs the command and returns its exit code.
  static int run(Terminal terminal, String... args) {
    ExitCode exitCode = answered(terminal, List.of(args));
    if (terminal.out().checkError()) { // checkError also flushes.
      exitCode = fail(terminal, ExitCode.INTERNAL, "cannot write to standard output", "");
    }
    terminal.err().flush();
    return exitCode.code;
  }

  private static ExitCode answered(Terminal terminal, List<String> args) {
    String name = args.isEmpty() ? "" : args.get(0);
    switch (name) {
      case "-h", "--help", "help" -> {
        return print(terminal, Help.all());
      }
      case "--version" -> {
        String version = Hmacctl.class.getPackage().getImplementationVersion();
        return print(terminal, "hmacctl " + (version == null ? "unreleased" : version) + "\n");
      }
      case Completion.NAME -> {
        return print(terminal, Completion.script());
      }
      default -> {
        Optional<Command> command =
            Command.ALL.stream().filter(known -> known.name().equals(name)).findFirst();
        return command.isPresent()
            ? answered(terminal, command.get(), args.subList(1, args.size()))
            : fail(
                terminal,
                ExitCode.USAGE,
                name.isEmpty() ? "missing command" : "unknown command: " + name,
                both(Suggestion.hint(name, names()), "See 'hmacctl --help'."));
      }
    }
  }

  private static ExitCode answered(Terminal terminal, Command command, List<String> args) {
    // Help is shown only if the first argument is `--help`. As the value of `--message`, `--help`
    // is a message.
    if (!args.isEmpty() && List.of("-h", "--help").contains(args.get(0))) {
      return print(terminal, Help.of(command));
    }
    try {
      Arguments arguments = Arguments.parse(args, command.options());
      var output = new Output(arguments, command);
      try (HmacdClient hmacd = new Connection(arguments, terminal.environment()).open()) {
        Optional<Value> answer = command.run(hmacd, arguments, terminal);
        return print(terminal, answer.map(output::render).orElse(""));
      }
    } catch (UsageException e) {
      return fail(
          terminal,
          ExitCode.USAGE,
          message(e),
          both(e.hint(), "See 'hmacctl " + command.name() + " --help'."));
    } catch (CommandException e) {
      return fail(terminal, e.exitCode(), message(e), e.hint());
    } catch (HmacdException e) {
      Advice advice = Advice.on(e);
      return fail(terminal, advice.exitCode(), message(e), advice.hint());
    } catch (DryRunSucceeded e) {
      Advice advice = Advice.on(ErrorReason.DRY_RUN_OPERATION);
      return fail(terminal, advice.exitCode(), message(e), advice.hint());
    } catch (UncheckedIOException e) {
      return fail(terminal, ExitCode.USAGE, "cannot read " + unreadable(e), "");
    } catch (IllegalArgumentException e) { // From the client: an invalid target or PEM file.
      return fail(terminal, ExitCode.USAGE, message(e), "");
    } catch (RuntimeException | Error e) { // Uncaught: exit code 1, a wrong MAC.
      return fail(terminal, ExitCode.INTERNAL, e.toString(), "This is a fault of hmacctl.");
    }
  }

  /// The names of all commands.
  private static List<String> names() {
    return Stream.concat(
            Command.ALL.stream().map(Command::name), Stream.of(Completion.NAME, "help"))
        .toList();
  }

  private static String both(String hint, String help) {
    return hint.isEmpty() ? help : hint + " " + help;
  }

  private static ExitCode print(Terminal terminal, String text) {
    terminal.out().print(text);
    return ExitCode.OK;
  }

  private static ExitCode fail(Terminal terminal, ExitCode exitCode, String text, String hint) {
    terminal.err().println("hmacctl: " + Printable.of(text));
    if (!hint.isEmpty()) {
      terminal.err().println("hint: " + Printable.of(hint));
    }
    return exitCode;
  }

  private static String message(RuntimeException e) {
    return String.valueOf(e.getMessage());
  }

  /// The path of an unreadable file, and the reason. Exceptions of `java.nio.file` have only the
  /// path as their message; the class of the exception is the reason.
  private static String unreadable(UncheckedIOException e) {
    Throwable cause = e.getCause();
    String text = String.valueOf(cause == null ? e.getMessage() : cause.getMessage());
    if (cause instanceof NoSuchFileException) {
      return text + ": no such file";
    }
    return cause instanceof AccessDeniedException ? text + ": permission denied" : text;
  }
}
