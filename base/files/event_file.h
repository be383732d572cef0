// A TensorBoard event file: records (length, masked CRC-32C of it, data, masked CRC-32C of them) of
// which each holds an Event message of tensorboard/compat/proto/event.proto. Written only.
//
// Scalars are floats there. Not thread-safe. What finds no space is left out with one warning, and
// never a part of a record: whoever writes figures beside a training must not end it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/text/json.h"

namespace lacuna {

struct Scalar {
  std::string tag;  // "dice/ET": TensorBoard makes a group of what stands before the slash
  double value = 0;
};

class EventFile {
 public:
  // Makes the file, which must not be there. Throws DataError.
  EventFile(std::filesystem::path path, double wall_time);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  // wall_time: seconds since 1970.
  void scalars(double wall_time, std::int64_t step, const std::vector<Scalar>& values);
  // A PNG of that many pixels, with that many channels.
  struct Picture {
    std::string tag;
    int width = 0, height = 0, channels = 3;
    std::vector<std::uint8_t> png;
  };
  void picture(double wall_time, std::int64_t step, const Picture& picture);
  // From here on events of `step` and later count, and what earlier files of the directory say of
  // them does not: a resumed run writes those steps again.
  void restart(double wall_time, std::int64_t step);
  // The run's row of the HPARAMS page: a flat object of numbers, booleans and text.
  void hyperparameters(double wall_time, const Json& flat);
  // Waits for the disk. False where it, or a record before, failed.
  bool sync();

 private:
  void record(const std::string& event);

  std::filesystem::path path_;
  int file_ = -1;
  bool failed_ = false;
};

// "events.out.tfevents.<seconds>.<host>": what TensorBoard looks for.
std::string event_file_name(double wall_time, const std::string& host);

}  // namespace lacuna
