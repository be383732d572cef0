// Memory of the pretend device and what is counted of it; for its own sources alone.
#pragma once

#include <cstddef>
#include <string>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>

#include "tests/device/pretend_device.h"

namespace lacuna::pretend {

Counts& figures();
void launched(const std::string& name);
void not_launched(const std::string& name);  // takes the last one back: it was a view
void wait(const std::string& reason);

c10::Allocator& device_allocator();
c10::Allocator& pinned_allocator();
bool is_pinned(const void* address);

// Remembers the source of an asynchronous copy until the next wait.
void in_flight(const at::Tensor& source);

const at::Generator& default_generator();
at::Generator new_generator();
// The host's generator that stands for one of the device.
at::Generator inner_generator(const at::Generator& generator);

}  // namespace lacuna::pretend
