// lacuna completion bash|zsh: a script for the shell, made from the commands themselves.
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "app/shared/command.h"

namespace lacuna::app {
namespace {

// What may follow `command`: its commands, then its options.
std::vector<std::string> words_after(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::App* each : command.get_subcommands(nullptr)) words.push_back(each->get_name());
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

// One line of a shell's `case` for a command and all below it: "train) words=...".
void add_cases(const CLI::App& command, const std::string& path, std::string& cases) {
  cases += fmt::format("    '{}') words='{}' ;;\n", path, fmt::join(words_after(command), " "));
  for (const CLI::App* each : command.get_subcommands(nullptr)) {
    add_cases(*each, path.empty() ? each->get_name() : path + " " + each->get_name(), cases);
  }
}

// The path of commands so far is what does not begin with a dash and is known; behind a command
// that has none below it everything else is a file.
std::string bash_script(const CLI::App& program) {
  std::string cases;
  add_cases(program, "", cases);
  return fmt::format(
      "# lacuna completion bash. To use it:  source <(lacuna completion bash)\n"
      "_lacuna_words() {{\n"
      "  local words=\n"
      "  case $1 in\n{}  esac\n"
      "  echo \"$words\"\n"
      "}}\n"
      "_lacuna() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} path= i\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    local word=${{COMP_WORDS[i]}} next\n"
      "    next=${{path:+$path }}$word\n"
      "    if [[ $word != -* && \" $(_lacuna_words \"$path\") \" == *\" $word \"* ]]; then "
      "path=$next; fi\n"
      "  done\n"
      "  COMPREPLY=($(compgen -W \"$(_lacuna_words \"$path\")\" -- \"$current\"))\n"
      "  if [[ -n $path && $current != -* ]]; then COMPREPLY+=($(compgen -f -- \"$current\")); fi\n"
      "}}\n"
      "complete -o filenames -F _lacuna lacuna\n",
      cases);
}

}  // namespace

void add_completion(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("completion", "A completion script for bash or zsh");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command->footer("Example: source <(lacuna completion bash)");
  command->callback([shell, &program] {
    if (*shell == "zsh") fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
    fmt::print("{}", bash_script(program));
  });
}

}  // namespace lacuna::app
