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

// The loader of libraries: nothing comes from the working directory, and what another environment
// has on LD_LIBRARY_PATH takes nobody's place, whichever of the program's libraries it is.
TEST(Libraries, NoneComesFromTheWorkingDirectoryOrFromAnotherEnvironment) {
  if (std::getenv("LACUNA_TORCH") != nullptr) GTEST_SKIP() << "the bundle chooses by variables";
  const TemporaryDirectory directory;
  const std::string script = R"sh(
set -eu
cd "$1"
unset LD_LIBRARY_PATH
LD_DEBUG=libs "$LACUNA_PROGRAM" --version 2>&1 | grep -E 'trying file=[^/]' >tried || true
[ ! -s tried ] || { echo 'looked for in the working directory:'; head -n 3 tried; exit 1; }
: >seen
ldd "$LACUNA_PROGRAM" | awk '$2 == "=>" {print $1}' | while read -r name; do
  case $name in libc.so* | libm.so* | libdl.so* | librt.so* | linux-vdso*) continue ;; esac
  case $name in libpthread.so* | libutil.so* | libresolv.so*) continue ;; esac
  mkdir "$name.d"
  echo 'not a library' >"$name.d/$name"
  code=0
  LD_LIBRARY_PATH=$PWD/$name.d "$LACUNA_PROGRAM" --version >out 2>&1 || code=$?
  echo "$name" >>seen
  [ "$code" = 0 ] || { echo "$name: code $code"; cat out; }
done
[ "$(wc -l <seen)" -gt 20 ] || {
    echo 'hardly any library was tried';
    cat seen;
  }
)sh";
  std::ofstream(directory / "try.sh") << script;
const std::string command =
    fmt::format("bash '{0}/try.sh' '{0}' >'{0}/result' 2>&1", directory.path().string());
EXPECT_EQ(std::system(command.c_str()), 0);
EXPECT_EQ(read_text(directory / "result"), "");
}

}  // namespace
}  // namespace lacuna
