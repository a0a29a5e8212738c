// key_rules() and the loader say the same: each row is walked through the loader. Whoever adds a
// key to the loader adds its row, or the first case here fails.
#include "config/keys.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"
#include "samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace drill;
using namespace drill::test;

namespace {

/// Every table with every key that it needs, one line each: "TABLE|KEY|LINE".
const std::vector<std::array<std::string, 3>> minimal{
    {"experiment", "name", "name = \"x\""},
    {"objective", "rto", "rto = \"10s\""},
    {"limit", "hosts", "hosts = 1"},
    {"limit", "longest", "longest = \"24h\""},
    {"target", "match", "match = \"all\""},
    {"target", "pick", "pick = 1"},
    {"probe", "name", "name = \"p\""},
    {"probe", "kind", "kind = \"tcp\""},
    {"probe", "host", "host = \"h\""},
    {"probe", "port", "port = 1"},
    {"probe", "every", "every = \"1ms\""},
    {"probe", "timeout", "timeout = \"1s\""},
    {"hypothesis", "probe", "probe = \"p\""},
    {"hypothesis", "during", "during = \"success >= 1%\""},
    {"halt", "probe", "probe = \"p\""},
    {"halt", "when", "when = \"success < 1% for 1s\""},
    {"step", "name", "name = \"s\""},
    {"step", "fault", "fault = \"noop\""},
    {"step", "on", "on = \"t\""},
    {"step", "hold", "hold = \"1s\""},
    {"environment", "name", "name = \"lab\""},
    {"environment", "class", "class = \"lab\""},
    {"host", "address", "address = \"192.0.2.1\""},
    {"service", "hosts", "hosts = \"all\""},
};

std::string header(const TableRule& table) {
    const std::string name(table.name);
    switch (table.shape) {
        case TableShape::once: return "[" + name + "]\n";
        case TableShape::named: return "[" + name + ".t]\n";
        case TableShape::many: return "[[" + name + "]]\n";
    }
    return "";
}

/// `lines` replace those of `key` in `table`.
std::string file_with(DefinitionFile file, std::string_view table, std::string_view key,
                      const std::string& lines) {
    std::string out;
    for (const TableRule& rule : table_rules()) {
        if (rule.file != file) { continue; }
        out += header(rule);
        for (const auto& [of, name, line] : minimal) {
            if (of == rule.name && !(rule.name == table && name == key)) { out += line + "\n"; }
        }
        if (rule.name == table && !lines.empty()) { out += lines + "\n"; }
    }
    return out;
}

Diagnostics loaded(DefinitionFile file, const std::string& text) {
    if (file == DefinitionFile::catalog) {
        return parse_catalog(text, "/lab/drill.toml").diagnostics;
    }
    return load(text).diagnostics;
}

bool has(const Diagnostics& diagnostics, std::string_view code, std::string_view mention) {
    return std::any_of(diagnostics.begin(), diagnostics.end(), [&](const Diagnostic& one) {
        return one.code == code && one.summary.find(std::string(mention)) != std::string::npos;
    });
}

std::string last_part(std::string_view name) {
    return std::string(name.substr(name.rfind('.') + 1));
}

/// Lines that put `value` at the key; keys of `regain` stand with the others that it needs.
std::string line_of(const KeyRule& key, const std::string& value) {
    if (!key.name.starts_with("regain.")) { return std::string(key.name) + " = " + value; }
    const std::string name = last_part(key.name);
    std::string rest;
    for (const char* other : {"within", "hold"}) {
        if (name != other) { rest += std::string(", ") + other + " = \"1s\""; }
    }
    return "regain = { " + (value.empty() ? rest.substr(2) : name + " = " + value + rest) + " }";
}

std::string put(const KeyRule& key, const std::string& value) {
    const std::string lines =
        value.empty() && !key.name.starts_with("regain.") ? "" : line_of(key, value);
    return file_with(key.file, key.table, key.name.substr(0, key.name.find('.')), lines);
}

std::string in_unit(const KeyRule& key, std::int64_t value) {
    if (key.type == KeyType::duration) {
        return "\"" + format_duration(std::chrono::milliseconds{value}) + "\"";
    }
    if (key.type == KeyType::percent) {
        return "\"" + std::to_string(value / 10'000) + "." +
               std::to_string(10'000 + value % 10'000).substr(1) + "%\"";
    }
    return std::to_string(value);
}

/// What the loader lists behind "known are" when it meets a key that it does not know.
std::set<std::string> known_keys(const Diagnostics& diagnostics) {
    std::set<std::string> keys;
    for (const Diagnostic& one : diagnostics) {
        if (one.code != codes::unknown_key || one.summary.find("zzqqxx") == std::string::npos) {
            continue;
        }
        std::size_t at = one.help.find('`');
        while (at != std::string::npos) {
            const std::size_t end = one.help.find('`', at + 1);
            if (end == std::string::npos) { break; }
            keys.insert(one.help.substr(at + 1, end - at - 1));
            at = one.help.find('`', end + 1);
        }
    }
    return keys;
}

}  // namespace

TEST_CASE("the files that the walk starts from are good") {
    for (const DefinitionFile file : {DefinitionFile::experiment, DefinitionFile::catalog}) {
        const std::string text = file_with(file, "", "", "");
        CHECK(shown(loaded(file, text), text) == "");
    }
}

TEST_CASE("the loader knows exactly the keys that the table lists") {
    for (const TableRule& table : table_rules()) {
        CAPTURE(table.name);
        std::set<std::string> listed;
        for (const KeyRule& key : key_rules()) {
            const bool inner = key.name.find('.') != std::string_view::npos;
            if (key.file == table.file && key.table == table.name && !inner) {
                listed.emplace(key.name);
            }
        }
        if (table.name == "probe") { listed.merge(std::set<std::string>{"host", "port", "ok"}); }
        const Diagnostics found =
            loaded(table.file, file_with(table.file, table.name, "", "zzqqxx = 1"));
        CHECK(known_keys(found) == listed);
    }
    std::set<std::string> regain;
    for (const KeyRule& key : key_rules()) {
        if (key.name.starts_with("regain.")) { regain.insert(last_part(key.name)); }
    }
    const std::string inner = file_with(DefinitionFile::experiment, "hypothesis", "",
                                        "regain = { within = \"1s\", hold = \"1s\", zzqqxx = 1 }");
    CHECK(known_keys(loaded(DefinitionFile::experiment, inner)) == regain);
}

TEST_CASE("the loader knows exactly the tables that the table lists") {
    for (const DefinitionFile file : {DefinitionFile::experiment, DefinitionFile::catalog}) {
        std::set<std::string> listed;
        for (const TableRule& table : table_rules()) {
            if (table.file == file) { listed.emplace(table.name); }
        }
        const std::string text = file_with(file, "", "", "") + "[zzqqxx]\n";
        CHECK(known_keys(loaded(file, text)) == listed);
    }
}

TEST_CASE("a table is required exactly where the table says so") {
    for (const TableRule& table : table_rules()) {
        CAPTURE(table.name);
        std::string text;
        for (const TableRule& other : table_rules()) {
            if (other.file != table.file || other.name == table.name) { continue; }
            text += header(other);
            for (const auto& [of, name, line] : minimal) {
                if (of == other.name) { text += line + "\n"; }
            }
        }
        const Diagnostics found = loaded(table.file, text);
        const bool missed = std::any_of(found.begin(), found.end(), [](const Diagnostic& one) {
            return one.code == "E0104" || one.code == "E0404" || one.code == "E0405";
        });
        CHECK(missed == table.required);
    }
}

TEST_CASE("a key is required exactly where the table says so") {
    for (const KeyRule& key : key_rules()) {
        CAPTURE(key.table);
        CAPTURE(key.name);
        const Diagnostics found = loaded(key.file, put(key, ""));
        // `hold` and `address` depend on the kind and on the transport, and say so in their help.
        const bool conditional = key.name == "hold" || key.name == "address";
        const bool missed = has(found, "E0101", "`" + last_part(key.name) + "` is missing");
        CHECK(missed == (key.required || conditional));
    }
}

TEST_CASE("a value of another type is refused for every key") {
    for (const KeyRule& key : key_rules()) {
        CAPTURE(key.table);
        CAPTURE(key.name);
        const std::string wrong = key.type == KeyType::boolean ? "\"yes\"" : "1979-05-27";
        CHECK(has_errors(loaded(key.file, put(key, wrong))));
    }
}

TEST_CASE("bounds are inclusive, and what lies outside of them is refused") {
    for (const KeyRule& key : key_rules()) {
        const bool scalar = key.type == KeyType::duration || key.type == KeyType::integer ||
                            key.type == KeyType::percent || key.type == KeyType::pick;
        if (!scalar || key.name == "rpo") { continue; }  // rpo: refused as a whole, or see below
        CAPTURE(key.table);
        CAPTURE(key.name);
        const auto out_of_range = [&](std::int64_t value) {
            return has(loaded(key.file, put(key, in_unit(key, value))), "E0204",
                       "`" + last_part(key.name) + "` is out of range");
        };
        if (key.least > 0) {
            CHECK_FALSE(out_of_range(key.least));
            CHECK(out_of_range(key.least - 1));
        }
        if (key.most > 0) {
            CHECK_FALSE(out_of_range(key.most));
            const bool percent = key.type == KeyType::percent;  // above 100 % is E0203
            CHECK(out_of_range(key.most + 1) == !percent);
        }
    }
}

TEST_CASE("each word of a choice is taken and no other") {
    for (const KeyRule& key : key_rules()) {
        if (key.type != KeyType::choice) { continue; }
        CAPTURE(key.name);
        for (const std::string& choice : split(key.choices, '|')) {
            CAPTURE(choice);
            CHECK_FALSE(has(loaded(key.file, put(key, "\"" + choice + "\"")), "E0205",
                            "`" + last_part(key.name) + "`"));
        }
        CHECK(has(loaded(key.file, put(key, "\"zzqqxx\"")), "E0205",
                  "`" + last_part(key.name) + "`"));
    }
}

TEST_CASE("a default of the table is accepted by the loader") {
    for (const KeyRule& key : key_rules()) {
        if (key.fallback.empty()) { continue; }
        CAPTURE(key.name);
        const std::string text = put(key, std::string(key.fallback));
        CHECK(shown(loaded(key.file, text), text) == "");
    }
}
