package dev.hmacd.ctl;

import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The completion script for bash. zsh runs the same script with bashcompinit.
final class Completion {
  static final String NAME = "completion";

  private Completion() {}

  static String script() {
    String commands =
        Stream.concat(
                Command.ALL.stream().map(Command::name), Stream.of(NAME, "--help", "--version"))
            .collect(Collectors.joining(" "));
    String options =
        Command.ALL.stream()
            .map(
                command ->
                    "    %s) words='%s --help' ;;\n"
                        .formatted(
                            command.name(),
                            command.options().stream()
                                .map(Option::name)
                                .collect(Collectors.joining(" "))))
            .collect(Collectors.joining());
    String values =
        Command.ALL.stream()
            .flatMap(command -> command.options().stream())
            .filter(option -> !option.choices().isEmpty())
            .map(
                option ->
                    "    %s) words='%s' ;;\n"
                        .formatted(option.name(), String.join(" ", option.choices())))
            .distinct()
            .collect(Collectors.joining());
    // The shell completes all other words, such as file names.
    return """
           # Completion of hmacctl for bash and zsh: source <(hmacctl completion)
           if [ -n "${ZSH_VERSION-}" ]; then
             autoload -U +X compinit && compinit
             autoload -U +X bashcompinit && bashcompinit
           fi

           _hmacctl() {
             local word=${COMP_WORDS[COMP_CWORD]} words=
             if [ "$COMP_CWORD" -eq 1 ]; then
               words='%s'
             else
               case ${COMP_WORDS[1]} in
           %s    esac
               case ${COMP_WORDS[COMP_CWORD-1]} in
           %s    esac
             fi
             COMPREPLY=($(compgen -W "$words" -- "$word"))
           }

           complete -o default -F _hmacctl hmacctl
           """
        .formatted(commands, options, values);
  }
}
