// A report of run directories as a file, the same for `lacuna report` and `lacuna sweep report`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lacuna::app {

// `labels`: what each run is called; empty: found from methods and directories. What could not be
// read is warned about. Throws DataError.
void write_report_page(const std::vector<std::filesystem::path>& runs,
                       const std::vector<std::string>& labels, const std::filesystem::path& page);

}  // namespace lacuna::app
