// What the volumes of a data set have in common before any of them is read: most frequent
// directions of the axes, most frequent voxel size.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/cache/cohort.h"
#include "data/cohorts/source.h"

namespace lacuna::data {

// From the header of the first image of each case; files that cannot be read are left to ingest.
// None when no file says anything. Parallel over cases.
std::optional<Grid> common_grid(const std::vector<SourceCase>& cases, int jobs);

// What to say where the volumes' voxel size is on none of the grids that the data set is published
// on (Profile::grids): they were perhaps not prepared as the others. "" where it is, where the
// profile states none, or where nothing is known. Other axes are no such case: volumes are turned.
std::string unlike_published(const Profile& profile, const Grid& grid);

// Adds the files of the label maps NAME -> directory to the cases. A map of a modality is named
// like the modality's image, or <id>_<modality>.nii.gz, in the directory or in its subdirectory
// <id>. Returns a line per map: how many cases have it. Throws ConfigError: a bad name, no such
// directory, no case has the map. A case that has it for some of its modalities only becomes a
// problem.
std::vector<std::string> find_label_maps(
    const std::vector<std::pair<std::string, std::filesystem::path>>& maps,
    const std::vector<std::string>& modalities, std::vector<SourceCase>& cases);

}  // namespace lacuna::data
