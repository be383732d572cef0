// What the kernel says about a process of this host.
#pragma once

namespace lacuna::coordinator {

// The state letter of /proc/<pid>/stat (R running, S sleeping, D waiting for a disk, T stopped,
// t held by a debugger, Z ended but not collected, ...), or 0 when there is no such process.
char process_state(long pid);

}  // namespace lacuna::coordinator
