// Loaded before the MPI library (LD_PRELOAD): stops the process, as SIGSTOP from outside would,
// when the rank of LACUNA_STOP_RANK calls the function LACUNA_STOP_CALL, once per file
// LACUNA_STOP_MARK.
#define OMPI_SKIP_MPICXX 1  // its C++ classes need the library at load time, in every program

#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <mpi.h>
#include <unistd.h>

namespace {

void maybe_stop(const char* call) {
  const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
  const char* wanted_rank = std::getenv("LACUNA_STOP_RANK");
  const char* wanted_call = std::getenv("LACUNA_STOP_CALL");
  const char* mark = std::getenv("LACUNA_STOP_MARK");
  if (rank == nullptr || wanted_rank == nullptr || wanted_call == nullptr || mark == nullptr)
    return;
  if (std::strcmp(rank, wanted_rank) != 0 || std::strcmp(call, wanted_call) != 0) return;
  const int file = ::open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return;  // it was stopped before
  ::close(file);
  ::raise(SIGSTOP);
}

}  // namespace

extern "C" {

int MPI_Init_thread(int* argc, char*** argv, int required, int* provided) {
  maybe_stop("MPI_Init_thread");
  return PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Isend(const void* data, int count, MPI_Datatype type, int to, int tag, MPI_Comm ranks,
              MPI_Request* request) {
  maybe_stop("MPI_Isend");
  return PMPI_Isend(data, count, type, to, tag, ranks, request);
}

int MPI_Irecv(void* data, int count, MPI_Datatype type, int from, int tag, MPI_Comm ranks,
              MPI_Request* request) {
  maybe_stop("MPI_Irecv");
  return PMPI_Irecv(data, count, type, from, tag, ranks, request);
}

int MPI_Finalize() {
  maybe_stop("MPI_Finalize");
  return PMPI_Finalize();
}

}  // extern "C"
