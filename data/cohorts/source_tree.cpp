#include "data/cohorts/source_tree.h"

#include <algorithm>
#include <set>
#include <system_error>

#include "base/text/log.h"

namespace lacuna::data {
namespace {

namespace fs = std::filesystem;

// Deep enough for derivatives of BIDS below a folder of downloads.
constexpr int kMaxDepth = 8;

// Left by archives of macOS and by network drives; nothing in them is a scan.
bool is_passed_over(const std::string& name) {
  return name.starts_with(".") || name == "__MACOSX" || name == "@eaDir" || name == "lost+found";
}

std::string lower_ending(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return ending;
}

}  // namespace

std::string image_stem(const std::string& name) {
  for (const char* ending : {".nii.gz", ".nii", ".mha"}) {
    if (name.ends_with(ending)) return name.substr(0, name.size() - std::string(ending).size());
  }
  return "";
}

SourceTree::SourceTree(const fs::path& root) {
  fs::path whole = fs::absolute(root).lexically_normal();
  if (whole.filename().empty()) whole = whole.parent_path();  // "data/"
  // Paths in messages stay as the user wrote them.
  fs::path shown = root;
  while (shown.filename().empty() && shown.has_relative_path()) shown = shown.parent_path();
  const std::string name = whole.filename().string();
  above_root_ = shown.filename().string() == name ? shown.parent_path() : whole.parent_path();
  std::vector<fs::path> above;
  walk(above_root_ / name, name, 0, above);
  std::sort(directories_.begin(), directories_.end());
  std::sort(tables_.begin(), tables_.end());
  std::sort(spreadsheets_.begin(), spreadsheets_.end());
}

void SourceTree::walk(const fs::path& directory, const std::string& name, int depth,
                      std::vector<fs::path>& above) {
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  if (error) {
    log::warn("{}: cannot be read ({}); passed over. Check permissions if there are cases in it.",
              directory.string(), error.message());
    return;
  }
  directories_.push_back(name);
  const fs::path here = fs::weakly_canonical(directory, error);
  if (std::find(above.begin(), above.end(), here) != above.end()) return;  // a link to above
  above.push_back(here);
  std::vector<fs::path> paths;
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    if (error) break;
    paths.push_back(entries->path());
  }
  if (error) log::warn("{}: cannot be read to its end: {}", directory.string(), error.message());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    const std::string file = path.filename().string();
    if (is_passed_over(file)) continue;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) {
      if (depth < kMaxDepth) walk(path, name + "/" + file, depth + 1, above);
    } else if (!fs::exists(status) && image_stem(file).empty()) {
      log::warn("{}: leads nowhere ({}); passed over", path.string(),
                error ? error.message() : "a link to nothing");
    } else {
      add_file(path, name + "/" + file);
    }
  }
  above.pop_back();
}

void SourceTree::add_file(const fs::path& path, const std::string& name) {
  const std::string stem = image_stem(name);
  const std::string ending = lower_ending(path);
  if (!stem.empty()) {
    TreeImage image{path, ""};
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
      const fs::path target = fs::read_symlink(path, error);
      image.problem = fmt::format(
          "{}: a link to {}, which is not there. Fetch the file (datalad get, git annex get), or "
          "remove the link.",
          path.string(), error ? "something" : target.string());
    } else if (!fs::is_regular_file(status)) {
      image.problem = fmt::format("{}: not a file. Remove it.", path.string());
    }
    images_.emplace(stem, std::move(image));
  } else if (ending == ".csv" || ending == ".tsv") {
    tables_.push_back(path);
  } else if (ending == ".xlsx" || ending == ".xls") {
    spreadsheets_.push_back(path);
  }
}

fs::path SourceTree::path_of(const std::string& directory) const { return above_root_ / directory; }

fs::path SourceTree::file_in(const std::string& directory, const std::string& name) const {
  const fs::path path = path_of(directory) / name;
  std::error_code error;
  return fs::is_regular_file(path, error) ? path : fs::path();
}

std::size_t SourceTree::directories_with_images() const {
  std::set<std::string> names;
  for (const auto& [stem, image] : images_) names.insert(stem.substr(0, stem.rfind('/')));
  return names.size();
}

}  // namespace lacuna::data
