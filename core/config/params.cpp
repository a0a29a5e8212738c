// See params.hpp.
#include "config/params.hpp"

#include "base/text.hpp"
#include "config/codes.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace drill {

namespace {

// What is sent as it is, so that line breaks are nobody's danger; all other texts may end in an
// argv or a header line.
bool is_data(std::string_view name) { return name == "body"; }
// In a free table this key is a duration, as everywhere else in a definition.
constexpr std::string_view duration_key = "within";
constexpr std::int64_t nanos_per_ms = 1'000'000;
// A fallback of a table cannot be large; it is written in the source of a kind.
constexpr Caps fallback_caps{4096, 100, 100};

std::optional<int> port_of(std::string_view text) {
    int port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    if (!whole || port < 1 || port > 65535) { return std::nullopt; }
    return port;
}

/// "80", or "8000-8100" with the smaller one first.
bool is_port_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) { return port_of(text).has_value(); }
    const std::optional<int> from = port_of(text.substr(0, dash));
    const std::optional<int> to = port_of(text.substr(dash + 1));
    return from && to && *from <= *to;
}

std::optional<std::vector<std::string>> read_ports(Report& report, const Node& node,
                                                   std::string_view key) {
    std::vector<const Node*> entries;
    if (node.type == Node::Type::array) {
        for (const Node& item : node.items) { entries.push_back(&item); }
    } else {
        entries.push_back(&node);
    }
    std::vector<std::string> ports;
    bool sound = true;
    for (const Node* entry : entries) {
        const bool integer = entry->type == Node::Type::integer;
        const std::string text = integer ? std::to_string(entry->integer) : entry->text;
        if (!integer && entry->type != Node::Type::text) {
            sound = has_type(report, *entry, key, Node::Type::integer);
        } else if (!is_port_range(text)) {
            report.error(codes::bad_port, entry->spot, ticked(text) + " is not a port",
                         "1 to 65535, or a range such as \"8000-8100\"");
            sound = false;
        } else {
            ports.push_back(text);
        }
    }
    if (!sound) { return std::nullopt; }
    return ports;
}

template <class T>
std::optional<Value> as_value(std::optional<T> read) {
    std::optional<Value> value;
    // In place: a temporary variant makes g++ 12 warn of uninitialised members that it has not.
    if (read) { value.emplace(std::in_place_type<T>, *std::move(read)); }
    return value;
}

/// Every type but table.
std::optional<Value> read_value(Report& report, const Param& param, const Node& node,
                                const Catalog* catalog) {
    const std::string_view name = param.name.substr(param.name.rfind('.') + 1);
    switch (param.type) {
        case ParamType::boolean: return as_value(read_boolean(report, node, name));
        case ParamType::integer:
            return as_value(read_integer(report, node, name, {param.least, param.most}));
        case ParamType::text:
            return as_value(read_text(report, node, name,
                                      is_data(param.name) ? TextKind::data : TextKind::line));
        case ParamType::duration:
            return as_value(read_duration(report, node, name,
                                          {param.least * nanos_per_ms, param.most * nanos_per_ms}));
        case ParamType::percent:
            return as_value(read_percent(report, node, name, {param.least, param.most}));
        case ParamType::texts: {
            std::optional<std::vector<std::string>> texts = read_texts(report, node, name);
            if (texts && texts->empty() && param.required) {
                report.error(codes::out_of_range, node.spot, ticked(name) + " is empty");
                return std::nullopt;
            }
            return as_value(std::move(texts));
        }
        case ParamType::choice:
            return as_value(read_choice(report, node, name, split(param.choices, '|')));
        case ParamType::ports: return as_value(read_ports(report, node, name));
        case ParamType::selection: return as_value(read_selection(report, node, name, catalog));
        case ParamType::steps:
        case ParamType::table: break;
    }
    return std::nullopt;
}

void read_table(Report& report, const Param& param, const Node& node, Values& out) {
    if (!has_type(report, node, param.name, Node::Type::table)) { return; }
    const std::vector<std::string> allowed =
        param.choices.empty() ? std::vector<std::string>{} : split(param.choices, '|');
    for (const Member& member : node.members) {
        const bool known = allowed.empty() ||
                           std::find(allowed.begin(), allowed.end(), member.key) != allowed.end();
        if (!known) {
            report.error(codes::unknown_key, member.spot,
                         "unknown key " + ticked(member.key) + " in " + ticked(param.name),
                         report.did_you_mean(member.key, allowed, "known are " + one_of(allowed)));
            continue;
        }
        const Node& value = member.value;
        std::optional<Value> read;
        if (member.key == duration_key) {
            read = as_value(read_duration(report, value, member.key));
        } else if (value.type == Node::Type::integer) {
            read = Value{value.integer};
        } else {
            read = as_value(read_text(report, value, member.key));
        }
        const std::string flat = std::string(param.name) + '.' + member.key;
        const bool clean = std::all_of(member.key.begin(), member.key.end(),
                                       [](unsigned char c) { return c > 0x20 && c < 0x7f; });
        if (!clean || member.key.empty()) {
            report.error(codes::bad_name, member.spot, ticked(member.key) + " cannot be a key here",
                         "printable ASCII without blanks");
        } else if (read) {
            out.insert_or_assign(flat, *std::move(read));
        }
    }
}

constexpr std::size_t most_steps = 16;

void read_steps(Report& report, const Param& param, const Node& node, const Catalog* catalog,
                Values& out) {
    if (!has_type(report, node, param.name, Node::Type::array)) { return; }
    if (node.items.empty() || node.items.size() > most_steps) {
        report.error(codes::out_of_range, node.spot, ticked(param.name) + " is empty or too long",
                     "1 to " + std::to_string(most_steps) + " of them");
        return;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        const Node& item = node.items[i];
        if (!has_type(report, item, param.name, Node::Type::table)) { continue; }
        TableReader table(report, item, ticked(param.name));
        Values values;
        read_params(table, {param.items, param.item_count}, catalog, values);
        table.close();
        const std::string prefix = std::string(param.name) + '.' + std::to_string(i) + '.';
        for (auto& [name, value] : values) {
            out.insert_or_assign(prefix + name, std::move(value));
        }
    }
}

/// Reads a value that was written in the file.
void read_param(Report& report, const Param& param, const Node& node, const Catalog* catalog,
                Values& out) {
    if (param.type == ParamType::table) {
        read_table(report, param, node, out);
    } else if (param.type == ParamType::steps) {
        read_steps(report, param, node, catalog, out);
    } else if (std::optional<Value> value = read_value(report, param, node, catalog)) {
        out.insert_or_assign(std::string(param.name), *std::move(value));
    }
}

/// A fallback is written as in TOML; the quotes of a text may be left out.
void read_fallback(Report& report, const Param& param, Spot spot, Values& out) {
    Report scratch("");
    Node node;
    const bool textual = param.type == ParamType::text || param.type == ParamType::choice ||
                         param.type == ParamType::duration || param.type == ParamType::percent;
    const bool quoted = param.fallback.starts_with('"') || param.fallback.starts_with('\'');
    std::optional<Node> parsed;
    if (!textual || quoted) {
        parsed = parse_document("value = " + std::string(param.fallback), fallback_caps, scratch);
    }
    if (parsed && parsed->find("value") != nullptr) {
        node = parsed->find("value")->value;
    } else {
        static_cast<void>(scratch.take());
        node.type = Node::Type::text;
        node.text = param.fallback;
    }
    read_param(scratch, param, node, nullptr, out);
    if (scratch.failed()) {
        report.error(codes::bad_fallback, spot,
                     "the built-in default of " + ticked(param.name) + " is wrong",
                     "this is a bug of drill");
    }
}

void read_or_default(TableReader& table, const Param& param, std::string_view key,
                     const Catalog* catalog, Values& out) {
    const std::string example =
        std::string(key) + " = ..." + (param.help.empty() ? "" : "  " + std::string(param.help));
    const Node* node = param.required ? table.need(key, example) : table.get(key);
    if (node != nullptr) {
        read_param(table.report(), param, *node, catalog, out);
    } else if (!param.required && !param.fallback.empty()) {
        read_fallback(table.report(), param, table.table().spot, out);
    }
}

/// All parameters "outer.x" as one closed table.
void read_closed_table(TableReader& table, std::string_view outer, std::span<const Param> params,
                       const Catalog* catalog, Values& out) {
    const Node* node = table.get(outer);
    Node absent;
    absent.spot = table.table().spot;
    if (node != nullptr && !has_type(table.report(), *node, outer, Node::Type::table)) { return; }
    TableReader inner(table.report(), node == nullptr ? absent : *node, ticked(outer));
    for (const Param& param : params) {
        const std::size_t dot = param.name.find('.');
        if (dot == std::string_view::npos || param.name.substr(0, dot) != outer) { continue; }
        read_or_default(inner, param, param.name.substr(dot + 1), catalog, out);
    }
    inner.close();
}

}  // namespace

void read_params(TableReader& table, std::span<const Param> params, const Catalog* catalog,
                 Values& out) {
    std::set<std::string_view> closed;
    for (const Param& param : params) {
        const std::size_t dot = param.name.find('.');
        if (dot == std::string_view::npos) { continue; }
        const std::string_view outer = param.name.substr(0, dot);
        if (closed.insert(outer).second) { read_closed_table(table, outer, params, catalog, out); }
    }
    for (const Param& param : params) {
        const bool nested = param.name.find('.') != std::string_view::npos;
        // `ok` itself may be listed beside "ok.within", for docs; the closed table has read it.
        if (!nested && !closed.contains(param.name)) {
            read_or_default(table, param, param.name, catalog, out);
        }
    }
}

}  // namespace drill
