// How published code names the parts that belong to one modality. Pure function.
#pragma once

#include <string>

namespace lacuna::models {

// In lower case, what is no letter or digit as "_": T1c -> t1c.
std::string lower_modality_name(const std::string& modality);

// In lower case, what is no letter or digit as "_", and T1c as "t1ce": FLAIR -> flair.
std::string published_modality_name(const std::string& modality);

}  // namespace lacuna::models
