// The program as a function (in main.cpp): what main() runs, and what the demo runs step by step.
#pragma once

#include <string>
#include <vector>

namespace lacuna::app {

// Runs one command; `arguments` without the program's name. Errors are printed. Returns the exit
// code (base/error.h).
int run_program(const std::vector<std::string>& arguments);

}  // namespace lacuna::app
