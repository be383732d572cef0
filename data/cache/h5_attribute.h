// Attributes of an HDF5 object: numbers as real HDF5 arrays and text as fixed-length strings, so
// that h5py and h5dump show them without help. Throws H5Error naming `file` and the attribute.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/cache/h5_check.h"

namespace lacuna::data {

void write_attribute(hid_t object, const std::string& name, const std::string& text);
void write_attribute(hid_t object, const std::string& name, std::span<const std::string> texts);
void write_attribute(hid_t object, const std::string& name, std::span<const double> values,
                     std::vector<hsize_t> shape = {});
void write_attribute(hid_t object, const std::string& name, std::span<const std::int64_t> values);
void write_attribute(hid_t object, const std::string& name, std::int64_t value);  // scalar

std::string read_text(hid_t object, const std::string& name, const std::string& file);
std::vector<std::string> read_texts(hid_t object, const std::string& name, const std::string& file);
std::vector<double> read_numbers(hid_t object, const std::string& name, const std::string& file);
std::vector<std::int64_t> read_integers(hid_t object, const std::string& name,
                                        const std::string& file);
// A scalar or one-element attribute.
std::int64_t read_integer(hid_t object, const std::string& name, const std::string& file);

}  // namespace lacuna::data
