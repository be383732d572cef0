#include "data/cache/h5_attribute.h"

#include <algorithm>

namespace lacuna::data {
namespace {

H5Handle make_space(const std::vector<hsize_t>& shape) {
  const hid_t id = shape.empty()
                       ? H5Screate(H5S_SCALAR)
                       : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  return {h5_check(id, "make the shape of", "an attribute"), H5Sclose};
}

H5Handle make_string_type(std::size_t length) {
  H5Handle type(h5_check(H5Tcopy(H5T_C_S1), "make the type of", "an attribute"), H5Tclose);
  h5_check(H5Tset_size(type, std::max<std::size_t>(length, 1)), "size the type of", "an attribute");
  h5_check(H5Tset_strpad(type, H5T_STR_NULLPAD), "pad the type of", "an attribute");
  h5_check(H5Tset_cset(type, H5T_CSET_UTF8), "set the characters of", "an attribute");
  return type;
}

void write(hid_t object, const std::string& name, hid_t file_type, hid_t memory_type,
           const std::vector<hsize_t>& shape, const void* data) {
  const H5Handle space = make_space(shape);
  const H5Handle attribute(
      h5_check(H5Acreate2(object, name.c_str(), file_type, space, H5P_DEFAULT, H5P_DEFAULT),
               "create attribute", name),
      H5Aclose);
  h5_check(H5Awrite(attribute, memory_type, data), "write attribute", name);
}

struct OpenAttribute {
  H5Handle id;
  std::size_t elements;
};

OpenAttribute open(hid_t object, const std::string& name, const std::string& file) {
  H5Handle id(h5_check(H5Aopen(object, name.c_str(), H5P_DEFAULT), "find attribute " + name, file),
              H5Aclose);
  const H5Handle space(h5_check(H5Aget_space(id), "read attribute " + name, file), H5Sclose);
  const hssize_t elements =
      h5_check(H5Sget_simple_extent_npoints(space), "read attribute " + name, file);
  // A damaged shape must not become an allocation of terabytes.
  if (elements > (1 << 20)) throw_error<H5Error>("{}: attribute {} is damaged", file, name);
  return {std::move(id), static_cast<std::size_t>(elements)};
}

template <typename T>
std::vector<T> read(hid_t object, const std::string& name, const std::string& file, hid_t type) {
  const OpenAttribute attribute = open(object, name, file);
  std::vector<T> values(attribute.elements);
  h5_check(H5Aread(attribute.id, type, values.data()), "read attribute " + name, file);
  return values;
}

}  // namespace

void write_attribute(hid_t object, const std::string& name, const std::string& text) {
  const H5Handle type = make_string_type(text.size());
  const char* data = text.empty() ? "\0" : text.data();
  write(object, name, type, type, {}, data);
}

void write_attribute(hid_t object, const std::string& name, std::span<const std::string> texts) {
  std::size_t length = 1;
  for (const std::string& text : texts) length = std::max(length, text.size());
  std::string joined;
  for (const std::string& text : texts) {
    joined += text;
    joined.append(length - text.size(), '\0');
  }
  const H5Handle type = make_string_type(length);
  write(object, name, type, type, {texts.size()}, joined.data());
}

void write_attribute(hid_t object, const std::string& name, std::span<const double> values,
                     std::vector<hsize_t> shape) {
  if (shape.empty()) shape = {values.size()};
  write(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, shape, values.data());
}

void write_attribute(hid_t object, const std::string& name, std::span<const std::int64_t> values) {
  write(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, {values.size()}, values.data());
}

void write_attribute(hid_t object, const std::string& name, std::int64_t value) {
  write(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, {}, &value);
}

std::vector<std::string> read_texts(hid_t object, const std::string& name,
                                    const std::string& file) {
  const OpenAttribute attribute = open(object, name, file);
  const H5Handle type(h5_check(H5Aget_type(attribute.id), "read attribute " + name, file),
                      H5Tclose);
  const std::size_t length = H5Tget_size(type);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) > 0 || length > (1 << 20)) {
    throw_error<H5Error>("{}: attribute {} is not fixed-length text", file, name);
  }
  std::string joined(length * attribute.elements, '\0');
  h5_check(H5Aread(attribute.id, type, joined.data()), "read attribute " + name, file);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < attribute.elements; ++i) {
    const std::string text = joined.substr(i * length, length);
    texts.push_back(text.substr(0, text.find('\0')));
  }
  return texts;
}

std::string read_text(hid_t object, const std::string& name, const std::string& file) {
  const std::vector<std::string> texts = read_texts(object, name, file);
  if (texts.size() != 1) throw_error<H5Error>("{}: attribute {} is not one text", file, name);
  return texts[0];
}

std::vector<double> read_numbers(hid_t object, const std::string& name, const std::string& file) {
  return read<double>(object, name, file, H5T_NATIVE_DOUBLE);
}

std::vector<std::int64_t> read_integers(hid_t object, const std::string& name,
                                        const std::string& file) {
  return read<std::int64_t>(object, name, file, H5T_NATIVE_INT64);
}

std::int64_t read_integer(hid_t object, const std::string& name, const std::string& file) {
  const std::vector<std::int64_t> values = read_integers(object, name, file);
  if (values.size() != 1) throw_error<H5Error>("{}: attribute {} is not one number", file, name);
  return values[0];
}

}  // namespace lacuna::data
