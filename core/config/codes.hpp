// Every code that a diagnostic of a definition can carry, with its meaning in one line.
// A code is never given a second meaning and never reused. Must not: hold the text of a single
// diagnostic. Next: report.hpp.
#pragma once

#include <array>
#include <string_view>

namespace drill {

struct CodeMeaning {
    std::string_view code;
    std::string_view meaning;
};

namespace codes {
// E00xx: the file and its syntax.
inline constexpr std::string_view unreadable = "E0001";
inline constexpr std::string_view too_large = "E0002";
inline constexpr std::string_view bare_duration = "E0003";
inline constexpr std::string_view bare_percent = "E0004";
inline constexpr std::string_view bare_word = "E0005";
inline constexpr std::string_view open_string = "E0006";
inline constexpr std::string_view open_bracket = "E0007";
inline constexpr std::string_view missing_equals = "E0008";
inline constexpr std::string_view missing_value = "E0009";
inline constexpr std::string_view duplicate_key = "E0010";
inline constexpr std::string_view bad_utf8 = "E0011";
inline constexpr std::string_view control_byte = "E0012";
inline constexpr std::string_view too_deep = "E0013";
inline constexpr std::string_view too_many_keys = "E0014";
inline constexpr std::string_view bad_syntax = "E0015";
inline constexpr std::string_view split_table = "E0016";
inline constexpr std::string_view too_many_entries = "E0017";
inline constexpr std::string_view too_many_errors = "E0018";
inline constexpr std::string_view unsafe_catalog = "E0020";
inline constexpr std::string_view unsafe_key_file = "E0021";
inline constexpr std::string_view missing_key_file = "E0022";
// E01xx: keys and types.
inline constexpr std::string_view missing_key = "E0101";
inline constexpr std::string_view unknown_key = "E0102";
inline constexpr std::string_view wrong_type = "E0103";
inline constexpr std::string_view missing_table = "E0104";
inline constexpr std::string_view useless_key = "E0105";
// E02xx: single values.
inline constexpr std::string_view missing_unit = "E0201";
inline constexpr std::string_view bad_duration = "E0202";
inline constexpr std::string_view bad_percent = "E0203";
inline constexpr std::string_view out_of_range = "E0204";
inline constexpr std::string_view bad_choice = "E0205";
inline constexpr std::string_view bad_name = "E0206";
inline constexpr std::string_view bad_address = "E0207";
inline constexpr std::string_view bad_port = "E0208";
inline constexpr std::string_view bad_predicate = "E0209";
inline constexpr std::string_view bad_text = "E0210";
// E03xx: what refers to something else.
inline constexpr std::string_view unknown_fault = "E0301";
inline constexpr std::string_view unknown_probe_kind = "E0302";
inline constexpr std::string_view unknown_target = "E0303";
inline constexpr std::string_view unknown_probe = "E0304";
inline constexpr std::string_view unknown_step = "E0305";
inline constexpr std::string_view unknown_service = "E0306";
inline constexpr std::string_view unknown_host = "E0307";
inline constexpr std::string_view unknown_label = "E0308";
inline constexpr std::string_view matches_nothing = "E0309";
inline constexpr std::string_view duplicate_name = "E0310";
inline constexpr std::string_view cycle = "E0311";
// E04xx: the definition as a whole.
inline constexpr std::string_view no_limit = "E0401";
inline constexpr std::string_view hold_too_long = "E0402";
inline constexpr std::string_view rpo_without_marker = "E0403";
inline constexpr std::string_view no_step = "E0404";
inline constexpr std::string_view no_hypothesis = "E0405";
inline constexpr std::string_view judges_nothing = "E0406";
inline constexpr std::string_view halt_without_span = "E0407";
inline constexpr std::string_view unused_target = "E0408";
// E09xx: a bug of this program.
inline constexpr std::string_view bad_fallback = "E0901";
}  // namespace codes

inline constexpr std::array<CodeMeaning, 56> code_meanings{{
    {codes::unreadable, "the file cannot be read or is not a regular file"},
    {codes::too_large, "the file is larger than any definition needs to be"},
    {codes::bare_duration, "a duration is a text and needs quotes: rto = \"15m\""},
    {codes::bare_percent, "a percentage is a text and needs quotes: share = \"50%\""},
    {codes::bare_word, "a text needs quotes: name = \"orders\""},
    {codes::open_string, "a string is not closed on its line"},
    {codes::open_bracket, "an array, inline table or table header is not closed"},
    {codes::missing_equals, "a key is not followed by ="},
    {codes::missing_value, "a key has no value"},
    {codes::duplicate_key, "a key or table is given twice in the same place"},
    {codes::bad_utf8, "the file holds bytes that are not UTF-8"},
    {codes::control_byte, "the file holds a NUL or another control byte"},
    {codes::too_deep, "tables and arrays are nested more than 32 deep"},
    {codes::too_many_keys, "the file holds more keys and array entries than are read"},
    {codes::bad_syntax, "the text is not TOML 1.0"},
    {codes::split_table, "an inline table { } does not end on the line where it begins"},
    {codes::too_many_entries, "an array or a group of tables has more entries than are read"},
    {codes::too_many_errors, "the file has more errors than are shown"},
    {codes::unsafe_catalog,
     "somebody else could change the catalog: writable by others, or theirs"},
    {codes::unsafe_key_file, "others can read the private key that the catalog names"},
    {codes::missing_key_file, "the private key that the catalog names is not there"},
    {codes::missing_key, "a key that has no default is missing"},
    {codes::unknown_key, "a key or table is not known here"},
    {codes::wrong_type, "a value has another type than its key needs"},
    {codes::missing_table, "a table that every file of this sort needs is missing"},
    {codes::useless_key, "a key has no meaning beside, or without, another key of its table"},
    {codes::missing_unit, "a number needs a unit: \"30s\", \"50%\""},
    {codes::bad_duration, "a text is not a duration such as \"1m30s\" or \"250ms\""},
    {codes::bad_percent, "a text is not a percentage between 0% and 100%"},
    {codes::out_of_range, "a value is smaller or larger than its key allows"},
    {codes::bad_choice, "a text is none of the words that its key allows"},
    {codes::bad_name, "a name has other characters than a-z, 0-9 and -, or more than 64"},
    {codes::bad_address, "a host name, address or user has characters that have no place there"},
    {codes::bad_port, "a port is not within 1 to 65535 or not a range such as \"8000-8100\""},
    {codes::bad_predicate, "a predicate is not of the form \"success >= 99% for 10s\""},
    {codes::bad_text, "a text holds a line break or control character where none may be"},
    {codes::unknown_fault, "no fault has this name"},
    {codes::unknown_probe_kind, "no kind of probe has this name"},
    {codes::unknown_target, "a step works on a target that the file does not define"},
    {codes::unknown_probe, "a hypothesis or halt names a probe that the file does not define"},
    {codes::unknown_step, "a step waits for a step that the file does not define"},
    {codes::unknown_service, "the catalog has no service of this name"},
    {codes::unknown_host, "the catalog has no host of this name"},
    {codes::unknown_label, "no host of the catalog has this label or this value of it"},
    {codes::matches_nothing, "a selection matches no host of the catalog"},
    {codes::duplicate_name, "two probes or two steps have the same name"},
    {codes::cycle, "steps wait for each other, or jump hosts lead back to themselves"},
    {codes::no_limit, "[limit] says neither how many hosts nor which share of them"},
    {codes::hold_too_long, "a fault is held longer than limit.longest"},
    {codes::rpo_without_marker, "an rpo objective cannot be measured by this version"},
    {codes::no_step, "an experiment without a step does nothing"},
    {codes::no_hypothesis, "an experiment without a hypothesis has nothing to judge"},
    {codes::judges_nothing, "a hypothesis has neither before, during, regain nor integrity"},
    {codes::halt_without_span, "a halt condition does not say for how long it must be true"},
    {codes::unused_target, "warning: no step works on this target"},
    {codes::bad_fallback, "a default built into this program is wrong: a bug, please report it"},
}};

}  // namespace drill
