# The profiles that the program carries in itself: every data/cohorts/profiles/*.json, as text.
# Run as a script (-P), writes the C++ source.
if(CMAKE_SCRIPT_MODE_FILE)
  set(source "#include \"data/cohorts/shipped_profiles.h\"\n\nnamespace lacuna::data {\nnamespace {\n")
  string(APPEND source "constexpr std::string_view kShipped[] = {\n")
  string(REPLACE "|" ";" files "${FILES}")
  foreach(file IN LISTS files)
    file(READ ${file} text)
    string(APPEND source "R\"lacuna_profile(${text})lacuna_profile\",\n")
  endforeach()
  string(APPEND source "};\n}  // namespace\n\n")
  string(APPEND source "std::span<const std::string_view> shipped_profiles() { return kShipped; }\n\n")
  string(APPEND source "}  // namespace lacuna::data\n")
  file(WRITE ${OUT} "${source}")
  return()
endif()

file(GLOB lacuna_profiles CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/data/cohorts/profiles/*.json)
string(REPLACE ";" "|" lacuna_profile_list "${lacuna_profiles}")
set(lacuna_profile_source ${CMAKE_BINARY_DIR}/generated/shipped_profiles.cpp)
add_custom_command(OUTPUT ${lacuna_profile_source}
  COMMAND ${CMAKE_COMMAND} "-DFILES=${lacuna_profile_list}" -DOUT=${lacuna_profile_source}
          -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${lacuna_profiles} ${CMAKE_CURRENT_LIST_FILE} VERBATIM)
target_sources(lacuna_data PRIVATE ${lacuna_profile_source})
