#include "base/files/event_file.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <boost/crc.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text/log.h"

namespace lacuna {
namespace {

static_assert(std::endian::native == std::endian::little);

template <typename Value>
void put_raw(std::string& to, Value value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  to.append(bytes, sizeof value);
}

// Protocol buffers, wire format: a field is its number and kind, then the value.
void put_varint(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
  to.push_back(static_cast<char>(value));
}

void put_integer(std::string& to, int field, std::int64_t value) {
  put_varint(to, static_cast<std::uint64_t>(field) << 3);
  put_varint(to, static_cast<std::uint64_t>(value));
}

void put_double(std::string& to, int field, double value) {
  put_varint(to, static_cast<std::uint64_t>(field) << 3 | 1);
  put_raw(to, value);
}

void put_float(std::string& to, int field, float value) {
  put_varint(to, static_cast<std::uint64_t>(field) << 3 | 5);
  put_raw(to, value);
}

// Text, bytes and messages.
void put_bytes(std::string& to, int field, std::string_view bytes) {
  put_varint(to, static_cast<std::uint64_t>(field) << 3 | 2);
  put_varint(to, bytes.size());
  to.append(bytes);
}

// Numbers are those of event.proto, summary.proto and the hparams plugin's plugin_data.proto.
enum EventField { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
enum ValueField { kTag = 1, kSimpleValue = 2, kImage = 4, kTensor = 8, kMetadata = 9 };

std::string event(double wall_time, std::int64_t step) {
  std::string made;
  put_double(made, kWallTime, wall_time);
  put_integer(made, kStep, step);
  return made;
}

void put_value(std::string& summary, const std::string& value) { put_bytes(summary, 1, value); }

// RFC 3720's polynomial, and TensorFlow's mask over it.
std::uint32_t masked_crc(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t sum = crc.checksum();
  return ((sum >> 15) | (sum << 17)) + 0xa282ead8U;
}

// google.protobuf.Value.
std::string dynamic_value(const Json& value) {
  std::string made;
  if (value.is_boolean()) {
    put_integer(made, 4, value.get<bool>());
  } else if (value.is_number()) {
    put_double(made, 2, value.get<double>());
  } else {
    put_bytes(made, 3, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return made;
}

// A value that only carries the content of the hparams plugin: its tensor is one float, 0.
std::string hyperparameter_value(std::string_view tag, const std::string& content) {
  std::string plugin, metadata, value, tensor;
  put_bytes(plugin, 1, "hparams");
  put_bytes(plugin, 2, content);
  put_bytes(metadata, 1, plugin);
  put_integer(tensor, 1, 1);  // DT_FLOAT
  put_bytes(tensor, 2, "");   // no axes
  std::string zero;
  put_raw(zero, 0.0F);
  put_bytes(tensor, 5, zero);
  put_bytes(value, kTag, tag);
  put_bytes(value, kTensor, tensor);
  put_bytes(value, kMetadata, metadata);
  return value;
}

}  // namespace

std::string event_file_name(double wall_time, const std::string& host) {
  return fmt::format("events.out.tfevents.{:010}.{}", static_cast<std::int64_t>(wall_time), host);
}

EventFile::EventFile(std::filesystem::path path, double wall_time) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) {
    throw_error<DataError>("{}: cannot be made: {}. Check permissions and space.", path_.string(),
                           std::strerror(errno));
  }
  std::string made;
  put_double(made, kWallTime, wall_time);
  put_bytes(made, kFileVersion, "brain.Event:2");
  record(made);
}

EventFile::~EventFile() { ::close(file_); }

void EventFile::scalars(double wall_time, std::int64_t step, const std::vector<Scalar>& values) {
  if (values.empty()) return;
  std::string summary;
  for (const Scalar& scalar : values) {
    std::string value;
    put_bytes(value, kTag, scalar.tag);
    put_float(value, kSimpleValue, static_cast<float>(scalar.value));
    put_value(summary, value);
  }
  std::string made = event(wall_time, step);
  put_bytes(made, kSummary, summary);
  record(made);
}

void EventFile::picture(double wall_time, std::int64_t step, const Picture& picture) {
  std::string image, value, summary;
  put_integer(image, 1, picture.height);
  put_integer(image, 2, picture.width);
  put_integer(image, 3, picture.channels);
  put_bytes(image, 4, {reinterpret_cast<const char*>(picture.png.data()), picture.png.size()});
  put_bytes(value, kTag, picture.tag);
  put_bytes(value, kImage, image);
  put_value(summary, value);
  std::string made = event(wall_time, step);
  put_bytes(made, kSummary, summary);
  record(made);
}

void EventFile::restart(double wall_time, std::int64_t step) {
  std::string session, made = event(wall_time, step);
  put_integer(session, 1, 1);  // START
  put_bytes(made, kSessionLog, session);
  record(made);
}

void EventFile::hyperparameters(double wall_time, const Json& flat) {
  std::string start, content, summary;
  for (const auto& [name, value] : flat.items()) {
    std::string entry;
    put_bytes(entry, 1, name);
    put_bytes(entry, 2, dynamic_value(value));
    put_bytes(start, 1, entry);
  }
  put_double(start, 5, wall_time);
  put_bytes(content, 3, start);
  put_value(summary, hyperparameter_value("_hparams_/session_start_info", content));
  std::string made = event(wall_time, 0);
  put_bytes(made, kSummary, summary);
  record(made);
}

bool EventFile::sync() { return !failed_ && ::fsync(file_) == 0; }

void EventFile::record(const std::string& event) {
  std::string framed;
  put_raw(framed, static_cast<std::uint64_t>(event.size()));
  put_raw(framed, masked_crc(framed));
  framed += event;
  put_raw(framed, masked_crc(event));
  struct stat before {};
  const bool known = ::fstat(file_, &before) == 0;
  ssize_t written = 0;
  do {
    written = ::write(file_, framed.data(), framed.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(framed.size())) return;
  const int error = written < 0 ? errno : ENOSPC;
  // Readers stop for good at a record that is cut.
  if (written > 0 && known && ::ftruncate(file_, before.st_size) != 0) {
    log::warn("{}: ends with a part of a record: {}", path_.string(), std::strerror(errno));
  }
  if (!failed_) {
    log::warn(
        "{}: could not be written: {}. Free space; what it lacks is in metrics.jsonl, and "
        "`lacuna export tensorboard` writes it again.",
        path_.string(), std::strerror(error));
  }
  failed_ = true;
}

}  // namespace lacuna
