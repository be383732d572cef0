// The pictures that an evaluation leaves of one case (evaluation/prediction/overlay.h): modalities,
// truth, and what the method makes of a few subsets, on one axial slice.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "monitoring/report/png.h"

namespace lacuna::monitoring {

struct TissueColour {
  int red, green, blue;
  const char* name;
};
// By Tissue value; apart for colour-blind eyes too.
inline constexpr std::array<TissueColour, 5> kTissueColours = {{{0, 0, 0, ""},
                                                                {86, 140, 255, "necrosis"},
                                                                {120, 200, 130, "oedema"},
                                                                {255, 170, 60, "enhancing"},
                                                                {220, 120, 200, "resection"}}};

inline constexpr double kTissueOpacity = 0.6;  // of a colour over the grey

struct Overlay {
  int height = 0, width = 0;
  std::vector<std::string> modalities, subsets, dice;  // dice: of each subset
  std::string case_id, slice, mean_dice;
  // height x width each: grey per modality, Tissue values per subset.
  std::vector<std::vector<std::uint8_t>> images, predictions;
  std::vector<std::uint8_t> truth;
};

// Throws DataError: unreadable, or no overlay.
Overlay read_overlay(const Path& path);

// Tissue colours over a grey slice; the outline of the true tumour in white where asked for.
Image paint(const Overlay& overlay, const std::vector<std::uint8_t>& grey,
            const std::vector<std::uint8_t>& tissue, bool outline);

}  // namespace lacuna::monitoring
