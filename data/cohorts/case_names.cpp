#include "data/cohorts/case_names.h"

#include <algorithm>
#include <cctype>

namespace lacuna::data {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string bare_name(const std::string& name) {
  const std::size_t begin = name.find_first_not_of(" \t\r\n\"'");
  if (begin == std::string::npos) return "";
  return name.substr(begin, name.find_last_not_of(" \t\r\n\"',/\\") - begin + 1);
}

}  // namespace

CaseNames::CaseNames(const std::vector<CaseInfo>& cases) {
  for (const CaseInfo& info : cases) {
    by_id_[info.id] = &info;
    const auto [place, fresh] = folded_.try_emplace(lower(info.id), info.id);
    if (!fresh) place->second.clear();
  }
}

const CaseInfo* CaseNames::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::string CaseNames::reduce(const std::string& name) {
  std::string text = bare_name(name);
  text.erase(0, text.find_last_of("/\\") + 1);
  for (const char* ending : {".gz", ".nii", ".mha", ".npy", ".npz", ".h5", "_vol"}) {
    if (text.ends_with(ending)) text.resize(text.size() - std::string(ending).size());
  }
  while (text.ends_with("_")) text.pop_back();
  return text;
}

std::string CaseNames::lookup(const std::string& reduced) const {
  if (find(reduced) != nullptr) return reduced;
  // An id of 2015 holds its grade, and was found above.
  for (const char* grade : {"HGG_", "LGG_", "HG_", "LG_"}) {
    if (!reduced.starts_with(grade)) continue;
    const std::string bare = reduced.substr(std::string(grade).size());
    if (find(bare) != nullptr) return bare;
  }
  const auto same = folded_.find(lower(reduced));
  return same == folded_.end() ? "" : same->second;
}

std::string CaseNames::resolve(const std::string& name) const {
  const std::string reduced = reduce(name);
  if (const std::string id = lookup(reduced); !id.empty()) return id;
  const std::string path = bare_name(name);
  const std::size_t slash = path.find_last_of("/\\");
  if (slash != std::string::npos) {
    if (const std::string id = lookup(reduce(path.substr(0, slash))); !id.empty()) return id;
  }
  // Ids that begin `reduced` lie before it in the map; the longest one is the nearest.
  for (std::size_t length = reduced.size(); length-- > 1;) {
    const char next = reduced[length];
    if (next != '_' && next != '-' && next != '.') continue;
    // Only for names of files: "case1_flair". A list of ids must name ids.
    if (slash == std::string::npos && path == reduced) break;
    if (const std::string id = lookup(reduced.substr(0, length)); !id.empty()) return id;
  }
  return reduced;
}

}  // namespace lacuna::data
