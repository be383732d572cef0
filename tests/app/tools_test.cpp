// The checks of the tree itself: that they pass on it, and that they find what they are for.
#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/run_program.h"

namespace lacuna {
namespace {

ProgramResult run_tool(const std::string& name, const std::string& arguments) {
  const TemporaryDirectory directory;
  const char* source = std::getenv("LACUNA_SOURCE");
  const std::string command = fmt::format("'{}/tools/{}' {} >'{}' 2>&1", source ? source : ".",
                                          name, arguments, (directory / "out").string());
  const int status = std::system(command.c_str());
  std::ostringstream text;
  text << std::ifstream(directory / "out").rdbuf();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text.str(), ""};
}

TEST(CheckLayers, PassesOnThisTree) {
  const auto result = run_tool("check-layers", "");
  EXPECT_EQ(result.code, 0) << result.out;
}

TEST(CheckLayers, FindsIncludesThatPointUpOrSideways) {
  const TemporaryDirectory directory;
  std::filesystem::create_directories(directory / "base");
  std::filesystem::create_directories(directory / "data");
  std::ofstream(directory.path() / "base" / "a.h") << "#include \"data/b.h\"\n";
  std::ofstream(directory.path() / "data" / "b.h") << "#include \"kernels/c.h\"\n"
                                                      "#include \"base/a.h\"\n";
  const auto result = run_tool("check-layers", "'" + directory.path().string() + "'");
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out,
            "base/a.h includes data/b.h: base is not above data\n"
            "data/b.h includes kernels/c.h: data is not above kernels\n");
}

TEST(CheckMethodNames, PassesOnThisTree) {
  const auto result = run_tool("check-method-names", "");
  EXPECT_EQ(result.code, 0) << result.out;
}

TEST(CheckMethodNames, FindsCodeThatKnowsAMethodAndLeavesComments) {
  const TemporaryDirectory directory;
  for (const char* name : {"methods", "worker"}) {
    std::filesystem::create_directories(directory / name);
  }
  std::ofstream(directory / "methods/toy_net.cpp")
      << "const MethodEntry entry = {\n      .name = \"toy-net\",\n};\n";
  std::ofstream(directory / "worker/trainer.cpp") << "// As toy-net does.\n"
                                                     "#include \"methods/toy_net.h\"\n"
                                                     "ToyNetMethod* method;\n"
                                                     "int other;\n";
  const auto result = run_tool("check-method-names", "'" + directory.path().string() + "'");
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out,
            "worker/trainer.cpp:2 names toy_net: #include \"methods/toy_net.h\"\n"
            "worker/trainer.cpp:3 names ToyNet: ToyNetMethod* method;\n");
}

}  // namespace
}  // namespace lacuna
