# Reads the header as the preprocessor leaves it, and writes a wrapper for each function: what the linker's option --wrap
# calls in its place. Into the file `flags` go these options.
#   gcc -E -P -DUNDERPASS_API= -DUNDERPASS_CHECKED= include/underpass.h | awk -v flags=FILE -f wraps.awk
BEGIN {
    RS = ";"
    print "#include \"depth.h\""
    print "#include <underpass.h>"
}
# A function: its type, its name, its parameters; nothing in braces.
/underpass_[a-z0-9_]*\(/ && !/[{}]/ && !/typedef/ {
    gsub(/[\n\t ]+/, " ")
    sub(/^ /, "")
    match($0, /underpass_[a-z0-9_]*\(/)
    type = substr($0, 1, RSTART - 1)
    name = substr($0, RSTART, RLENGTH - 1)
    parameters = substr($0, RSTART + RLENGTH)
    sub(/\)$/, "", parameters)
    words = ""
    count = parameters == "void" ? 0 : split(parameters, each, ",")
    for (i = 1; i <= count; i++) {
        match(each[i], /[a-z0-9_]+ *$/)
        words = words (i > 1 ? ", " : "") substr(each[i], RSTART)
    }
    returns = type !~ /^void $/
    printf "%s__real_%s(%s);\n%s__wrap_%s(%s);\n", type, name, parameters, type, name, parameters
    printf "%s__wrap_%s(%s)\n{\n    const void *frame = __builtin_frame_address(0);\n", type, name, parameters
    if (returns) printf "    %sanswer;\n", type
    printf "    depth_paint(frame);\n    %s__real_%s(%s);\n    depth_book(frame, %d);\n", returns ? "answer = " : "", name, words, number++
    if (returns) print "    return answer;"
    print "}"
    names = names "    \"" name "\",\n"
    print "-Wl,--wrap=" name > flags
}
END { printf "const char *const depth_names[] = {\n%s    0,\n};\n", names }
