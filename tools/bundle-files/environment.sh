# Sourced by the bundle's `lacuna` and `bin/mpirun`: finds torch, and points the loader and Open MPI
# at what lies here. $here: the bundle's directory. Tells what is missing and exits with 1.
fail() {
  echo "lacuna: $1" >&2
  echo "  -> $2" >&2
  exit 1
}

# At least version $2 in $1? Both as 2.36.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/[^0-9.]*//')
at_least "${glibc:-0}" "@GLIBC@" || fail "this system has glibc ${glibc:-of unknown version}, @GLIBC@ is needed" \
  "use Debian 12, Ubuntu 24.04, RHEL 10 or later, or build lacuna on this system"

torch=${LACUNA_TORCH:-} source=LACUNA_TORCH
if [ -z "$torch" ]; then
  source="the torch of python3"
  # Not from the working directory, which comes first in a path of Python's: whoever may write there
  # would choose what we run.
  torch=$(python3 -c 'import os, sys
sys.path = [p for p in sys.path if p and os.path.realpath(p) != os.getcwd()]
import importlib.util as u
s = u.find_spec("torch")
print(s.submodule_search_locations[0] if s else "")' 2>/dev/null || true)
  [ -n "$torch" ] || fail "torch @TORCH@ was not found: LACUNA_TORCH is not set and python3 has none" \
    "pip install torch==@TORCH@.0, or set LACUNA_TORCH to the torch directory of an installation"
fi
[ -d "$torch/torch/lib" ] && torch=$torch/torch
[ -f "$torch/lib/libtorch_cpu.so" ] || fail "no torch in $torch ($source)" \
  "set LACUNA_TORCH to a directory that holds lib/libtorch_cpu.so, such as .../site-packages/torch"
found=$(sed -n "s/^__version__ = '\([^']*\)'.*/\1/p" "$torch/version.py" 2>/dev/null)
case "$found" in
  @TORCH@.*) ;;
  *) fail "torch in $torch is version ${found:-unknown}, @TORCH@ is needed" \
    "pip install torch==@TORCH@.0, or set LACUNA_TORCH to an installation of that version" ;;
esac
[ -f "$torch/lib/libtorch_cuda.so" ] || fail "torch in $torch is built without CUDA" \
  "pip install torch==@TORCH@.0 from PyPI, which has it; no GPU is needed to run it"

torch=$(cd "$torch" && pwd)  # the loader takes a relative path from wherever it is started

path=$here/lib:$torch/lib
for folder in "$torch"/../nvidia/*/lib; do
  [ -d "$folder" ] && path=$path:$(cd "$folder" && pwd)
done
# The C++ library must serve everything in the process: the newer of the system's and ours.
system=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | sed -n 's/.*libstdc++\.so\.6 .*x86-64.* => //p' | head -n 1)
# What was on LD_LIBRARY_PATH comes after ours: it is for other programs. An empty or relative entry of
# it would mean the working directory.
others=$(printf '%s' "${LD_LIBRARY_PATH:-}" | tr ':' '\n' | sed -n '/^\//p' | tr '\n' ':')
others=${others%:}
foreign=$(IFS=:; for folder in $others; do [ ! -e "$folder/libstdc++.so.6" ] || echo yes; done)
{ [ -z "$foreign" ] && [ -n "$system" ] && grep -q "GLIBCXX_@GLIBCXX@" "$system"; } || path=$path:$here/lib/c++
export LD_LIBRARY_PATH=$path${others:+:$others}

export PATH=$here/bin:$PATH
export OPAL_PREFIX=$here OPAL_LIBDIR=$here/lib OPAL_PKGLIBDIR=$here/lib/openmpi OPAL_BINDIR=$here/bin
export OPAL_PKGDATADIR=$here/share/openmpi OPAL_SYSCONFDIR=$here/etc PMIX_INSTALL_PREFIX=$here
