// Text that a shell must take literally. The only place where words of a user meet bash.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace lacuna::slurm {

// One bash word that means `text`, whatever is in it. Throws ConfigError for a NUL byte, which no
// argument can hold.
std::string bash_quoted(const std::string& text);

// The same, with each {name} of `variables` replaced by the shell variable it is mapped to, in
// double quotes: runs/{task} and {task -> task} give 'runs/'"$task".
std::string bash_quoted(const std::string& text,
                        const std::map<std::string, std::string>& variables);

// The words with spaces in between: a command line to be read, or copied, by people.
std::string bash_line(const std::vector<std::string>& words);

}  // namespace lacuna::slurm
