// Names the calling thread, so that `top -H` tells helpers from the training thread.
#pragma once

namespace lacuna {

void name_thread(const char* name);  // at most 15 characters; longer ones are ignored by the kernel

}  // namespace lacuna
