# Takes the list of library directories out of TEST, a program or library.
file(RPATH_REMOVE FILE "${TEST}")
