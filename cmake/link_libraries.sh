# Fills DIRECTORY with links to the libraries that PROGRAM takes from the system. What lies elsewhere,
# as torch does, is found by absolute path. Usage: link_libraries.sh PROGRAM DIRECTORY
set -eu
rm -rf -- "$2"
found=$(unset LD_LIBRARY_PATH; ldd "$1" | sed -n 's/^[[:space:]]*\([^ ]*\) => \(\/\(usr\/\)\?lib[^ ]*\) (0x.*/\1 \2/p')
mkdir -p -- "$2"
echo "$found" | while read -r name path; do ln -s -- "$path" "$2/$name"; done
