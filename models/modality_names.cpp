#include "models/modality_names.h"

#include <cctype>

namespace lacuna::models {

std::string lower_modality_name(const std::string& modality) {
  std::string name;
  for (const unsigned char letter : modality) {
    name += static_cast<char>(std::isalnum(letter) != 0 ? std::tolower(letter) : '_');
  }
  return name;
}

std::string published_modality_name(const std::string& modality) {
  const std::string name = lower_modality_name(modality);
  return name == "t1c" ? "t1ce" : name;
}

}  // namespace lacuna::models
