// See diagnostic_formats.hpp.
#include "config/diagnostic_formats.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"

#include <nlohmann/json.hpp>

#include <set>

namespace drill {

namespace {

using Json = nlohmann::json;

const char* name_of(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

std::string dumped(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string meaning_of(std::string_view code) {
    for (const CodeMeaning& one : code_meanings) {
        if (one.code == code) { return std::string(one.meaning); }
    }
    return std::string(code);
}

/// The parts of a diagnostic in one sentence.
std::string message_of(const Diagnostic& one) {
    return one.summary + (one.help.empty() ? "" : "\n" + one.help);
}

/// As workflow commands want it: data, and in properties also what separates them.
enum class Where : std::uint8_t { data, property };
std::string escaped(std::string_view text, Where place) {
    std::string out;
    for (const char c : text) {
        const bool separates = place == Where::property && (c == ':' || c == ',');
        if (c == '%') {
            out += "%25";
        } else if (c == '\r') {
            out += "%0D";
        } else if (c == '\n') {
            out += "%0A";
        } else if (separates) {
            out += c == ':' ? "%3A" : "%2C";
        } else {
            out += c;
        }
    }
    return out;
}

/// A path as a relative or absolute URI reference: everything but what a path may hold is quoted.
std::string uri_of(std::string_view path) {
    static constexpr char hex[] = "0123456789ABCDEF";
    std::string out = path.starts_with('/') ? "file://" : "";
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') ||
                           std::string_view("/._~-").find(c) != std::string_view::npos;
        if (plain) {
            out += c;
        } else {
            out += {'%', hex[byte >> 4U], hex[byte & 15U]};
        }
    }
    return out;
}

Json sarif_location(const Diagnostic& one) {
    Json physical{{"artifactLocation", {{"uri", uri_of(one.place.file)}}}};
    if (one.place.line > 0) {
        Json region{{"startLine", one.place.line}};
        if (one.place.column > 0) {
            region["startColumn"] = one.place.column;
            region["endColumn"] = one.place.column + one.place.length;
        }
        physical["region"] = std::move(region);
    }
    return {{"physicalLocation", std::move(physical)}};
}

}  // namespace

std::string diagnostics_to_json(std::span<const FileDiagnostics> files) {
    Json list = Json::array();
    for (const FileDiagnostics& file : files) {
        Json found = Json::array();
        for (const Diagnostic& one : file.diagnostics) {
            found.push_back({{"code", one.code},
                             {"column", one.place.column},
                             {"file", one.place.file},
                             {"help", one.help},
                             {"label", one.label},
                             {"length", one.place.length},
                             {"line", one.place.line},
                             {"severity", name_of(one.severity)},
                             {"summary", one.summary}});
        }
        list.push_back({{"diagnostics", std::move(found)},
                        {"file", file.file},
                        {"ok", !has_errors(file.diagnostics)}});
    }
    return dumped({{"drill_validate", 1}, {"files", std::move(list)}});
}

std::string diagnostics_to_github(std::span<const FileDiagnostics> files) {
    std::string out;
    for (const FileDiagnostics& file : files) {
        for (const Diagnostic& one : file.diagnostics) {
            out += std::string("::") + name_of(one.severity) +
                   " file=" + escaped(one.place.file, Where::property);
            if (one.place.line > 0) {
                out += ",line=" + std::to_string(one.place.line) +
                       ",col=" + std::to_string(one.place.column) +
                       ",endColumn=" + std::to_string(one.place.column + one.place.length);
            }
            out += ",title=" + escaped(one.code, Where::property) +
                   "::" + escaped(escape_control(message_of(one)), Where::data) + "\n";
        }
    }
    return out;
}

std::string diagnostics_to_sarif(std::span<const FileDiagnostics> files, std::string_view version) {
    Json results = Json::array();
    std::set<std::string> codes;
    for (const FileDiagnostics& file : files) {
        for (const Diagnostic& one : file.diagnostics) {
            codes.insert(one.code);
            results.push_back({{"level", name_of(one.severity)},
                               {"locations", Json::array({sarif_location(one)})},
                               {"message", {{"text", message_of(one)}}},
                               {"ruleId", one.code}});
        }
    }
    Json rules = Json::array();
    for (const std::string& code : codes) {
        rules.push_back({{"id", code}, {"shortDescription", {{"text", meaning_of(code)}}}});
    }
    const Json driver{
        {"name", "drill"}, {"rules", std::move(rules)}, {"version", std::string(version)}};
    const Json run{{"columnKind", "unicodeCodePoints"},
                   {"results", std::move(results)},
                   {"tool", {{"driver", driver}}}};
    return dumped({{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                   {"runs", Json::array({run})},
                   {"version", "2.1.0"}});
}

}  // namespace drill
