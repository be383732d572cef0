#include "base/process/thread_name.h"

#include <pthread.h>

namespace lacuna {

void name_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

}  // namespace lacuna
