// See document.hpp. The only file that includes toml++; without its exceptions.
#include "config/document.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"
#include "config/scan.hpp"
#include "config/syntax.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <tuple>

namespace {
// toml++ 3.3 asserts on some bad input (a table header such as `[{x]`), and with NDEBUG tells the
// compiler that it cannot happen. scan.cpp refuses what is known; the rest ends here as an error.
[[noreturn]] void parser_stopped() {
    throw std::runtime_error("the parser stopped at its own check");
}
}  // namespace

#ifdef NDEBUG
#undef NDEBUG
#endif
#define TOML_ASSERT(condition) \
    static_cast<void>((condition) ? static_cast<void>(0) : parser_stopped())
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace drill {

namespace {

class Converter {
public:
    Converter(std::string_view text, const Caps& caps, Report& report)
        : lines_(split(text, '\n')), caps_(caps), report_(report) {}

    Node convert(const toml::node& from) {
        Node node;
        node.spot = spot_of(from.source());
        if (const toml::table* table = from.as_table()) {
            convert_table(*table, node);
        } else if (const toml::array* array = from.as_array()) {
            node.type = Node::Type::array;
            for (const toml::node& item : *array) { node.items.push_back(convert(item)); }
            if (node.items.size() > caps_.items) {
                report_.error(codes::too_many_entries, node.spot,
                              "more than " + std::to_string(caps_.items) + " entries",
                              "split them up");
            }
        } else if (const auto* text = from.as_string()) {
            node.type = Node::Type::text;
            node.text = text->get();
            node.plain = from.source().begin.line == from.source().end.line &&
                         node.spot.length == width(node.text) + 2;
        } else if (const auto* integer = from.as_integer()) {
            node.type = Node::Type::integer;
            node.integer = integer->get();
        } else if (const auto* boolean = from.as_boolean()) {
            node.type = Node::Type::boolean;
            node.boolean = boolean->get();
        } else {
            node.type = from.is_floating_point() ? Node::Type::real : Node::Type::moment;
        }
        return node;
    }

private:
    void convert_table(const toml::table& table, Node& node) {
        node.type = Node::Type::table;
        for (auto&& [key, value] : table) {
            node.members.push_back({std::string(key.str()), spot_of(key.source()), convert(value)});
        }
        // toml++ keeps keys from a to z; messages and file order need the order of the text.
        std::sort(node.members.begin(), node.members.end(), [](const Member& a, const Member& b) {
            return std::tie(a.spot.line, a.spot.column) < std::tie(b.spot.line, b.spot.column);
        });
    }

    [[nodiscard]] Spot spot_of(const toml::source_region& region) const {
        Spot spot{region.begin.line, region.begin.column, 1};
        if (region.end.line == region.begin.line) {
            spot.length = region.end.column > region.begin.column
                              ? region.end.column - region.begin.column
                              : 1;
        } else if (spot.line >= 1 && spot.line <= lines_.size()) {
            std::string_view line = lines_[spot.line - 1];
            if (line.ends_with('\r')) { line.remove_suffix(1); }
            const std::size_t columns = width(line);
            spot.length = columns + 1 > spot.column ? columns + 1 - spot.column : 1;
        }
        return spot;
    }

    std::vector<std::string> lines_;
    const Caps& caps_;
    Report& report_;
};

}  // namespace

const Member* Node::find(std::string_view key) const {
    for (const Member& member : members) {
        if (member.key == key) { return &member; }
    }
    return nullptr;
}

std::string_view name_of(Node::Type type) noexcept {
    switch (type) {
        case Node::Type::text: return "a text";
        case Node::Type::integer: return "an integer";
        case Node::Type::real: return "a number with a fraction";
        case Node::Type::boolean: return "true or false";
        case Node::Type::moment: return "a date or time";
        case Node::Type::array: return "an array";
        case Node::Type::table: return "a table";
    }
    return "a value";
}

std::optional<Node> parse_document(std::string_view text, const Caps& caps, Report& report) {
    if (text.size() > caps.bytes) {
        report.error(codes::too_large, {},
                     "the file has " + std::to_string(text.size()) + " bytes, at most " +
                         std::to_string(caps.bytes) + " are read");
        return std::nullopt;
    }
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark)) { text.remove_prefix(byte_order_mark.size()); }
    const Scan scan = scan_text(text, caps, report);
    if (!scan.sound) { return std::nullopt; }
    try {
        const toml::parse_result parsed = toml::parse(text);
        if (!parsed) {
            const toml::parse_error& error = parsed.error();
            const Spot at{error.source().begin.line, error.source().begin.column, 1};
            report_syntax(text, scan, at, error.description(), report);
            return std::nullopt;
        }
        Node root = Converter(text, caps, report).convert(parsed.table());
        root.spot = {};  // what is missing from the file as a whole has no line
        return root;
    } catch (const std::exception& error) {
        report.error(codes::bad_syntax, {}, std::string("not readable: ") + error.what());
        return std::nullopt;
    }
}

}  // namespace drill
