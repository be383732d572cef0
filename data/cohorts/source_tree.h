// The names below a directory of scans: image files, directories and tables, read once.
//
// Passed over: names that begin with ".", __MACOSX and other folders that no scan lies in, and
// directories that cannot be read (named in the log). A link that leads nowhere is an image with a
// problem. Immutable after construction, thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lacuna::data {

struct TreeImage {
  std::filesystem::path path;
  std::string problem;  // "": a file; else why it cannot be one
};

class SourceTree {
 public:
  // `root` is a directory. Names in the tree begin with the name of `root`, so that a profile can
  // speak of it: "HGG/Brats18_..." also when `root` is HGG itself.
  explicit SourceTree(const std::filesystem::path& root);

  // Image files by their name without ending: "in/HGG/Brats18_2013_2_1/Brats18_2013_2_1_flair".
  // A name occurs twice when it is there both as .nii and .nii.gz.
  const std::multimap<std::string, TreeImage>& images() const { return images_; }
  const std::vector<std::string>& directories() const { return directories_; }  // sorted
  const std::vector<std::filesystem::path>& tables() const { return tables_; }  // .csv and .tsv
  const std::vector<std::filesystem::path>& spreadsheets() const { return spreadsheets_; }
  // A file of this name in the directory of that name in the tree; empty path: none.
  std::filesystem::path file_in(const std::string& directory, const std::string& name) const;
  std::filesystem::path path_of(const std::string& directory) const;
  std::size_t directories_with_images() const;

 private:
  void walk(const std::filesystem::path& directory, const std::string& name, int depth,
            std::vector<std::filesystem::path>& above);
  void add_file(const std::filesystem::path& path, const std::string& name);

  std::filesystem::path above_root_;  // the root's name comes after it
  std::multimap<std::string, TreeImage> images_;
  std::vector<std::string> directories_;
  std::vector<std::filesystem::path> tables_, spreadsheets_;
};

// The name without .nii, .nii.gz or .mha; "" when it ends in none of them.
std::string image_stem(const std::string& name);

}  // namespace lacuna::data
