// The other ranks of this start as the kernel of this host sees them: who is stopped, or not there.
// It needs no communication, so it also tells something while MPI itself hangs.
#pragma once

#include <string>

namespace lacuna::comm {

// This process's rank by its launcher's variables, before MPI knows it; -1: no launcher started it.
int launched_rank();
// How many ranks that launcher started; 0 where it does not tell.
int launched_size();

// For people: "rank 1 (pid 812) is stopped (state T)"; where all ranks of this host look well, that
// the ones to look at are on other hosts, or busy. Never empty.
std::string describe_local_peers();

}  // namespace lacuna::comm
